"""The fixture other tests stand on: what is posted can be read, what is deleted is gone."""

from tests.pds.server import Pds


def test_posts_are_listed_until_they_are_deleted(pds: Pds) -> None:
    someone = pds.create_account("fixture.test")
    first = pds.post(someone, "The bridge is open.")
    second = pds.post(someone, "The bridge is closed.")
    assert {post["uri"] for post in pds.posts(someone)} == {first, second}
    pds.delete(someone, first)
    assert [post["value"]["text"] for post in pds.posts(someone)] == ["The bridge is closed."]


def test_the_same_handle_is_the_same_account(pds: Pds) -> None:
    assert pds.create_account("fixture.test") == pds.create_account("fixture.test")

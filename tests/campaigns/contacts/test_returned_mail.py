"""Reading mails that anybody may have made: bounces, answers, and what is neither."""

from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.contacts.returned_mail import Answer, Bounce, read, stop_words

OURS = "k3y-0f_one@hope.example"


def bounced(
    status: str = "5.1.1",
    action: str = "failed",
    to: str = "ana@town.example",
    message_id: str = OURS,
    returned: str = "text/rfc822-headers",
) -> bytes:
    """A bounce as Postfix writes one (RFC 3464)."""
    head = f"From: paula@hope.example\nMessage-ID: <{message_id}>\nSubject: The bridge\n"
    return (
        "From: MAILER-DAEMON@mx.example\nTo: paula@hope.example\nSubject: Undelivered Mail\n"
        "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\n\n'
        "--B\nContent-Type: text/plain\n\nI am sorry. STOP\n\n"
        "--B\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; mx.example\n\n"
        f"Final-Recipient: rfc822; {to}\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: smtp; 550 {status} <{to}> no such user\n\n"
        f"--B\nContent-Type: {returned}\n\n{head}\n--B--\n"
    ).encode()


def answer(words: str, subject: str = "Re: The bridge", **heads: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = "Ana <Ana@Town.example>", "paula@hope.example"
    mail["Subject"], mail["Message-ID"] = subject, "<answer@town.example>"
    for name, value in ({"In_Reply_To": f"<{OURS}>"} | heads).items():
        mail[name.replace("_", "-")] = value
    mail.set_content(words)
    return mail.as_bytes()


@pytest.mark.parametrize("returned", ["text/rfc822-headers", "message/rfc822"])
def test_a_bounce_says_which_mail_to_whom_and_why(returned: str) -> None:
    found = read(bounced(returned=returned))
    assert isinstance(found, Bounce)
    assert found.ids == (OURS,)
    (told,) = found.reported
    assert (told.addresses, told.kind, told.status) == (("ana@town.example",), "failed", "5.1.1")
    assert told.gone
    assert told.why == "There is no such mailbox."


@pytest.mark.parametrize(
    ("status", "action", "kind", "gone"),
    [
        *(("5.1.1", "failed", "failed", True), ("5.2.1", "FAILED", "failed", True)),
        # Full, too big, what we wrote, who we are, unsaid: the address itself may be good.
        *(("5.2.2", "failed", "failed", False), ("5.7.26", "failed", "failed", False)),
        *(("5.0.0", "failed", "failed", False), ("5.1.8", "failed", "failed", False)),
        *(("4.4.7", "failed", "failed", False), ("4.4.1", "delayed", "delayed", False)),
        *(("2.0.0", "delivered", "delivered", False), ("2.0.0", "relayed", "sent", False)),
    ],
)
def test_only_what_is_permanent_and_its_own_fault_ends_an_address(
    status: str, action: str, kind: str, gone: bool
) -> None:
    found = read(bounced(status, action))
    assert isinstance(found, Bounce)
    assert [(one.kind, one.gone) for one in found.reported] == [(kind, gone)]


def test_an_answer_is_read_without_what_it_quotes() -> None:
    found = read(answer("Please leave me alone\n\nOn Monday Paula wrote:\n> Reply STOP to end\n"))
    assert isinstance(found, Answer)
    assert (found.sender, found.ids) == ("ana@town.example", (OURS,))
    assert found.words == "Please leave me alone"
    # The subject of an answer is ours, that of a new mail theirs.
    assert list(stop_words(found)) == ["Please leave me alone"]
    new = read(answer("", subject="=?utf-8?q?Unsubscribe?="))
    assert isinstance(new, Answer)
    assert next(stop_words(new)) == "Unsubscribe"


@pytest.mark.parametrize(
    "heads",
    [{"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"X_Autoreply": "yes"}],
)
def test_what_a_machine_answers_is_nobodys_word(heads: dict[str, str]) -> None:
    assert read(answer("STOP. I am on holiday until Monday", **heads)) is None


def test_a_mail_that_nests_or_lies_without_end_is_read_in_time() -> None:
    deep = "".join(
        f'Content-Type: multipart/mixed; boundary="{n}"\n\n--{n}\n' for n in range(5_000)
    )
    square = f"Subject: {'=?a?q? ' * 30_000}\nFrom: x:{'a,' * 30_000};\n\nstop\n"  # for a parser
    unknown = "Subject: =?x-none?q?=FF?=\nContent-Type: text/plain; charset=none\n\n\0"
    for raw in (deep, square, unknown):
        found = read(b"From: a@b.example\n" + raw.encode())
        assert found is None or isinstance(found, Answer)
    assert read(bounced(message_id="x" * 5_000)) is None


pieces = st.sampled_from(
    [
        *(b"\n", b"\n\n", b"--B\n", b"--B--", b"\x00", b"\xff\xfe", b"; ", b"<>", b'"', b"=?"),
        *(b"Content-Type: message/delivery-status\n", b"Content-Type: multipart/report\n"),
        *(b"Status: 5.1.1\n", b"Action: failed\n", b"From: \n", b"In-Reply-To: <a@b>\n"),
        *(b"Content-Transfer-Encoding: base64\n", b"Content-Type: text/plain; charset=\n"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(pieces, st.binary(max_size=12)), max_size=12), st.integers(0, 900))
def test_no_mail_breaks_the_reading(broken: list[bytes], place: int) -> None:
    raw = bounced()
    found = read(raw[:place] + b"".join(broken) + raw[place:])
    if isinstance(found, Bounce):
        assert all(one.kind in ("failed", "delayed", "delivered", "sent") for one in found.reported)
    elif isinstance(found, Answer):
        assert found.sender == found.sender.lower()
        assert "\x00" not in found.words + found.subject + found.sender

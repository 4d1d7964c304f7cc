"""Our own page and feed of what was said. Publishing is our own record of it, and nothing else.

The page shows what is recorded as published, so no call is made and no doubt can come about: a
delivery that a dying worker left behind is not there, and may be published again.
"""

from dataclasses import dataclass

from campaigns.publishers import Parcel, Receipt

PATH = "/said"


@dataclass(frozen=True)
class WebPublisher:
    """``address``: where people open the desk, without a trailing slash."""

    address: str

    repeatable = True  # the same record, whether it is made once or twice

    def mark(self, parcel: Parcel) -> str:
        """Nothing to remember."""
        return ""

    def publish(self, parcel: Parcel) -> Receipt:
        """Where the page will be as soon as this receipt is recorded."""
        page = f"{self.address}{PATH}/{parcel.record_key}"
        return Receipt(uri=page, url=page)

    def find(self, parcel: Parcel) -> Receipt | None:
        """What is not recorded as published is not there, and only that is asked about."""
        return None

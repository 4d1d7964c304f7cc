"""Rehearsal: everything happens but the sending."""

from campaigns.publishers import Parcel, Receipt


class DryRunPublisher:
    """Accepts every parcel and sends nothing."""

    repeatable = True

    def mark(self, parcel: Parcel) -> str:
        """Nothing to remember."""
        return ""

    def publish(self, parcel: Parcel) -> Receipt:
        """A receipt that says it was a rehearsal; there is no page to read."""
        return Receipt(uri=f"dry-run:{parcel.record_key}", url=None)

    def find(self, parcel: Parcel) -> Receipt | None:
        """Nothing is ever out there."""
        return None

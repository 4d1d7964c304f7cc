"""A publisher that goes by the organisation's own server, not by one of the voice's.

Mail servers and gateways are paid for, registered and answered for by the desk: the voice's account
holds no password of them.
"""

from dataclasses import dataclass, field, replace

from campaigns.publishers import Parcel, Publisher, Receipt


@dataclass(frozen=True)
class Housed:
    """``publisher`` with this server and access, whatever the parcel says of them."""

    publisher: Publisher
    service: str
    access: str | None = field(repr=False)

    @property
    def repeatable(self) -> bool:
        return self.publisher.repeatable

    def mark(self, parcel: Parcel) -> str:
        return self.publisher.mark(self._by_us(parcel))

    def publish(self, parcel: Parcel) -> Receipt:
        return self.publisher.publish(self._by_us(parcel))

    def find(self, parcel: Parcel) -> Receipt | None:
        return self.publisher.find(self._by_us(parcel))

    def _by_us(self, parcel: Parcel) -> Parcel:
        return replace(parcel, service=self.service, secret=self.access)

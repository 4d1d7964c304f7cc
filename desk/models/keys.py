"""The table of keys that stay what they are when the secret key changes."""

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from sources.db import Base


class KeptKey(Base):
    """A derived key that must stay what it is when the secret key changes, encrypted by that."""

    __tablename__ = "kept_keys"

    purpose: Mapped[str] = mapped_column(Text, primary_key=True)
    sealed: Mapped[bytes]  # Fernet token
    made_at: Mapped[datetime]

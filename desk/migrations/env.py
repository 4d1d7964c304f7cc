"""Runs migrations on the connection that desk.database.migrate hands over."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from pgvector.sqlalchemy import VECTOR

import campaigns.models  # noqa: F401 (with it every table to its left)
import desk.models  # noqa: F401
from sources.db import Base, UTCDateTime


def spell(kind: str, thing: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our own column types into new migrations by what the database calls them."""
    if kind == "type" and isinstance(thing, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(thing, VECTOR):
        autogen.imports.add("from pgvector.sqlalchemy import Vector")
        return "Vector()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    render_item=spell,
    # procrastinate's own tables came with migration 0001 and are not ours to compare
    include_name=lambda name, kind, parent: not (name or "").startswith("procrastinate"),
)
context.run_migrations()

"""The ground all four rooms stand on: declarative base, UTC datetimes, engine, sessions.

Takes a URL and reads no configuration.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    Engine,
    Interval,
    MetaData,
    SQLColumnExpression,
    TableValuedAlias,
    any_,
    column,
    create_engine,
    func,
    literal,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine

PREPARED_AFTER = 1  # times that a connection has sent a statement: pages send few, over and over


class UTCDateTime(TypeDecorator[datetime]):
    """A moment in time. Refuses naive datetimes; always answers in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def coerce_compared_value(self, op: OperatorType | None, value: Any) -> Any:
        """A length of time added to a moment is an interval, not another moment."""
        return Interval() if isinstance(value, timedelta) else self

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: every moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Every table of the house, with predictable constraint names for the migrations."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime, dict[str, Any]: JSONB, list[Any]: JSONB}  # noqa: RUF012


def make_engine(url: str) -> Engine:
    """An engine for a ``postgresql+psycopg://`` URL; connections are checked before use.

    The connection used last is used next: it has its statements prepared and the catalogue read.
    Parameters stay out of error messages: they hold posts, addresses and hashes.
    """
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=20,
        pool_use_lifo=True,
        hide_parameters=True,
        json_deserializer=msgspec.json.decode,
        connect_args={"prepare_threshold": PREPARED_AFTER},
    )


def make_sessions(engine: Engine) -> sessionmaker[Session]:
    """Sessions that keep loaded rows usable after the outermost caller commits."""
    return sessionmaker(engine, expire_on_commit=False)


def among(expression: SQLColumnExpression[int], numbers: Collection[int]) -> ColumnElement[bool]:
    """Whether an expression is one of many numbers: one parameter, where IN has one for each."""
    return expression == any_(literal(list(numbers), ARRAY(BigInteger)))


def unnested(**columns: tuple[type[TypeEngine[Any]], Sequence[Any]]) -> TableValuedAlias:
    """Equally long lists as a table in a query, its columns as named: (type, values) each."""
    lists = [literal(list(values), ARRAY(kind)) for kind, values in columns.values()]
    named = [column(name, kind) for name, (kind, _) in columns.items()]
    return func.unnest(*lists).table_valued(*named).render_derived()

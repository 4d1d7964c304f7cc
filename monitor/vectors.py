"""Vectors as columns: sent to PostgreSQL as bytes, which takes a tenth of the time of digits."""

from collections.abc import Callable
from typing import Any

from pgvector import Vector
from pgvector.psycopg.vector import VectorBinaryDumper
from pgvector.sqlalchemy import VECTOR
from psycopg import adapters
from sqlalchemy import Dialect

# Without a type of its own: PostgreSQL takes the parameter for what stands beside it.
adapters.register_dumper(Vector, VectorBinaryDumper)


class Embedding(VECTOR):
    """pgvector's type, of any number of dimensions."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Vector | None]:
        return lambda value: None if value is None else Vector(value)

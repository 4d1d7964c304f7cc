"""Vectors as columns: they go to PostgreSQL and come back as bytes.

That takes a tenth of the time of digits, and a page may read some hundred vectors.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import Vector
from pgvector.psycopg.vector import VectorBinaryDumper
from pgvector.sqlalchemy import VECTOR
from psycopg import adapters
from sqlalchemy import ColumnElement, Dialect, SQLColumnExpression, func, text

SIGNS = 384  # bits: the dimensions of the packaged model; of longer vectors the first so many

# Without a type of its own: PostgreSQL takes the parameter for what stands beside it.
adapters.register_dumper(Vector, VectorBinaryDumper)


def signs(vector: SQLColumnExpression[Any]) -> ColumnElement[Any]:
    """The signs of a vector, a bit each: what is near by them is found fast, and then compared."""
    return func.binary_quantize(vector).op("::")(text(f"bit({SIGNS})"))


class Embedding(VECTOR):
    """pgvector's type, of any number of dimensions."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Vector | None]:
        return lambda value: None if value is None else Vector(value)

    def column_expression(self, colexpr: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.vector_send(colexpr, type_=self)

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], NDArray[np.float32] | None]:
        return lambda value: None if value is None else _read(value)


def _read(value: bytes) -> NDArray[np.float32]:
    """What pgvector's vector_send wrote: two numbers of 16 bits, then the vector's own."""
    return np.frombuffer(value, ">f4", offset=4).astype(np.float32)

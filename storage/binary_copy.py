"""Lists as rows of PostgreSQL's binary COPY, which reads an array of numbers far faster than text.

https://www.postgresql.org/docs/current/sql-copy.html: a row is the number of its columns and the columns, a column is
its length in bytes and its value. All lists of n movies have the same length in bytes, so they are one array.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ranking.ratings import Floats, Ints

HEADER, TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
INT4, FLOAT4 = 23, 700  # the types of the elements, as PostgreSQL numbers them


def encode_rows(
    generation: int, catalogue: int, user: Ints, version: npt.NDArray[np.int64], movie: Ints, expected: Floats
) -> Iterator[bytes]:
    """Yield rows of a COPY, one per user.

    They are (user int, generation int, catalogue bigint, version bigint, movies int[], expected real[]).

    The columns are parallel, the rows of one user together and best first.
    """
    first = np.flatnonzero(np.diff(user, prepend=-1))
    length = np.diff(first, append=len(user))
    yield HEADER
    for n in np.unique(length).tolist():
        those = first[length == n]
        places = those[:, None] + np.arange(n)
        yield _rows(generation, catalogue, user[those], version[those], movie[places], expected[places]).tobytes()
    yield TRAILER


def _rows(
    generation: int, catalogue: int, user: Ints, version: npt.NDArray[np.int64], movies: Ints, expected: Floats
) -> npt.NDArray[np.void]:
    n = movies.shape[1]
    kinds = [
        ("columns", ">i2"),
        ("user", _value(">i4")),
        ("generation", _value(">i4")),
        ("catalogue", _value(">i8")),
        ("version", _value(">i8")),
        ("movies", _array(">i4", n)),
        ("expected", _array(">f4", n)),
    ]
    rows = np.empty(len(user), kinds)
    rows["columns"] = len(kinds) - 1
    _fill(rows["user"], user)
    _fill(rows["generation"], generation)
    _fill(rows["catalogue"], catalogue)
    _fill(rows["version"], version)
    _fill_array(rows["movies"], INT4, movies)
    _fill_array(rows["expected"], FLOAT4, expected)
    return rows


def _value(kind: str) -> np.dtype[np.void]:
    return np.dtype([("bytes", ">i4"), ("value", kind)])


def _array(kind: str, n: int) -> np.dtype[np.void]:
    """Return the type of a one-dimensional array, whose elements have a length each."""
    head = ("bytes", "dimensions", "nulls", "type", "length", "lowest")
    return np.dtype([*((name, ">i4") for name in head), ("elements", _value(kind), (n,))])


def _fill(column: Any, value: Any) -> None:
    column["bytes"] = column.dtype["value"].itemsize
    column["value"] = value


def _fill_array(column: Any, kind: int, elements: Any) -> None:
    column["bytes"] = column.dtype.itemsize - column.dtype["bytes"].itemsize
    column["dimensions"], column["nulls"], column["type"] = 1, 0, kind
    column["length"], column["lowest"] = elements.shape[1], 1
    _fill(column["elements"], elements)

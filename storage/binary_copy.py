"""Lists as rows of PostgreSQL's binary COPY: text, of which it has to parse every number, costs 5 times the CPU.

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
_INT, _BIGINT, _REAL = (np.dtype([("bytes", ">i4"), ("value", kind)]) for kind in (">i4", ">i8", ">f4"))
_ARRAY_HEAD = [(name, ">i4") for name in ("bytes", "dimensions", "nulls", "type", "length", "lowest")]


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
        rows = _rows(len(those), n, generation, catalogue)
        rows["user"]["value"], rows["version"]["value"] = user[those], version[those]
        rows["movies"]["elements"]["value"] = movie[places]
        rows["expected"]["elements"]["value"] = expected[places]
        yield rows.tobytes()
    yield TRAILER


def _rows(count: int, n: int, generation: int, catalogue: int) -> Any:
    """Return `count` rows with lists of `n` movies, in which what differs between rows is 0."""
    columns = {"user": _INT, "generation": _INT, "catalogue": _BIGINT, "version": _BIGINT}
    arrays = {name: [*_ARRAY_HEAD, ("elements", of, (n,))] for name, of in (("movies", _INT), ("expected", _REAL))}
    kind = np.dtype([("columns", ">i2"), *columns.items(), *arrays.items()])
    heads = [(20 + 8 * n, 1, 0, element, n, 1, [(4, 0)] * n) for element in (INT4, FLOAT4)]
    return np.full(count, np.array((6, (4, 0), (4, generation), (8, catalogue), (8, 0), *heads), kind))

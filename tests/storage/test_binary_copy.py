"""The bytes in which the lists of everybody go to PostgreSQL, as PostgreSQL reads them."""

import io

import numpy as np
from sqlalchemy import text

from storage.binary_copy import encode_rows
from storage.bulk_copy import copy_in
from storage.database import Database

LENGTHS = {7: 3, 8: 1, 2_147_483_647: 10, 5: 3}  # by user


def test_lists_of_any_length_are_read_as_they_were_written(database: Database) -> None:
    rng = np.random.default_rng(1)
    n = sum(LENGTHS.values())
    user = np.repeat(np.array(list(LENGTHS), np.int32), list(LENGTHS.values()))
    version, movie = user + np.int64(2**40), rng.integers(1, 2**31, n, np.int32)
    expected = rng.uniform(0.5, 5, n).astype(np.float32)
    with database.transaction() as db:
        db.execute(
            text("CREATE TEMPORARY TABLE lists (u int, g int, c bigint, v bigint, m int[], e real[]) ON COMMIT DROP")
        )
        copied = copy_in(
            db, "lists", io.BytesIO(b"".join(encode_rows(9, 2**33, user, version, movie, expected))), "FORMAT binary"
        )
        found = {row.u: row for row in db.execute(text("SELECT u, g, c, v, m, e FROM lists")).all()}
    assert copied == len(LENGTHS)
    assert found.keys() == LENGTHS.keys()
    for one, row in found.items():
        assert (row.g, row.c, row.v, row.m) == (9, 2**33, one + 2**40, movie[user == one].tolist())
        assert np.array_equal(np.array(row.e, np.float32), expected[user == one])

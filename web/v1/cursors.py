"""Opaque cursors: where the next page of a list begins, bound to the query whose page it follows."""

import base64
import json
from hashlib import blake2b
from typing import Any

from web.errors import InvalidInputError

DIGEST_BYTES = 8


def encode(scope: str, *key: int | float | str | None) -> str:
    """The cursor of the rows after the one with this key, in the query that `scope` names."""
    # the checksum is no secret: it tells a cursor that was cut, changed or carried to another query, and a key that
    # somebody made up shows them nothing that they could not ask for
    digest = blake2b(json.dumps([scope, *key]).encode(), digest_size=DIGEST_BYTES).digest()
    return base64.urlsafe_b64encode(digest + json.dumps(key).encode()).rstrip(b"=").decode()


def decode(cursor: str, scope: str) -> list[Any]:
    """The key that `encode` was given. Raises `InvalidInputError` for all that it did not make for this scope."""
    try:
        made = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        key = json.loads(made[DIGEST_BYTES:])
        if isinstance(key, list) and encode(scope, *key) == cursor:
            return key
    except (ValueError, RecursionError):
        pass
    raise InvalidInputError(("cursor", "it is not the next_cursor of a page of this very query; without it you begin"))

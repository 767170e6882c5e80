"""Opaque cursors: where the next page of a list begins, bound to the query that the list answers."""

import base64
import json
from hashlib import blake2b
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from web.errors import InvalidInputError

DIGEST_BYTES = 8
Key = TypeVar("Key")


def encode(scope: str, *key: int | float | str | None) -> str:
    """Return the cursor of the rows after the one with this key, in the query that `scope` names."""
    # The checksum is no secret. It detects a cursor that was cut, changed or taken from another query; a forged key
    # shows a client nothing that it could not ask for.
    digest = blake2b(json.dumps([scope, *key]).encode(), digest_size=DIGEST_BYTES).digest()
    return base64.urlsafe_b64encode(digest + json.dumps(key).encode()).rstrip(b"=").decode()


def decode(cursor: str, scope: str, key_type: TypeAdapter[Key]) -> Key:
    """Return the key that `encode` was given.

    Raises `InvalidInputError` if the cursor is of another scope, or its key is not of `key_type`.
    """
    try:
        decoded = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        key = json.loads(decoded[DIGEST_BYTES:])
        if isinstance(key, list) and encode(scope, *key) == cursor:
            return key_type.validate_python(key)
    except (ValidationError, ValueError, RecursionError):
        pass
    raise InvalidInputError(
        ("cursor", "it is not a next_cursor of this query; leave it out to begin with the first page")
    )

"""Secrets that open the routes of one user (table tokens)."""

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import Connection, Row, text

from storage.errors import UnknownTokenError, UnknownUserError

Scope = Literal["self", "list", "hook"]

SECRET_BYTES = 32

_CREATE = text("""
    INSERT INTO tokens (user_id, scope, name, hash) SELECT id, :scope, :name, :hash FROM users WHERE id = :user
    RETURNING id AS token_id, scope, name, created_at
""")
_OF_USER = text("""
    SELECT t.id AS token_id, t.scope, t.name, t.created_at
    FROM users u LEFT JOIN tokens t ON t.user_id = u.id WHERE u.id = :user ORDER BY t.id DESC
""")


def create(db: Connection, user_id: int, scope: Scope, name: str | None = None) -> tuple[Row[Any], str]:
    """Make a token; return its row (token_id, scope, name, created_at) and the secret, which is not stored.

    Raises `UnknownUserError`.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    values = {"user": user_id, "scope": scope, "name": name, "hash": _hash(secret)}
    row = db.execute(_CREATE, values).one_or_none()
    if row is None:
        raise UnknownUserError(user_id)
    return row, secret


def of_user(db: Connection, user_id: int) -> Sequence[Row[Any]]:
    """Return a user's tokens as `create` does, newest first. Raises `UnknownUserError`."""
    rows = db.execute(_OF_USER, {"user": user_id}).all()
    if not rows:
        raise UnknownUserError(user_id)
    return [row for row in rows if row.token_id is not None]


def revoke(db: Connection, user_id: int, token_id: int) -> None:
    """Delete a token, so that it grants no more access. Raises `UnknownTokenError`."""
    statement = text("DELETE FROM tokens WHERE id = :token AND user_id = :user")
    if db.execute(statement, {"token": token_id, "user": user_id}).rowcount == 0:
        raise UnknownTokenError


def find(db: Connection, secret: str) -> Row[Any]:
    """Return the (user_id, scope) of a secret. Raises `UnknownTokenError`.

    The index is searched for the hash: what the time of the search shows says nothing about the secret.
    """
    statement = text("SELECT user_id, scope FROM tokens WHERE hash = :hash")
    found = db.execute(statement, {"hash": _hash(secret)}).one_or_none()
    if found is None:
        raise UnknownTokenError
    return found


def user_of(db: Connection, secret: str, scope: Scope) -> int:
    """Return the user whose token of this scope has this secret. Raises `UnknownTokenError`."""
    found = find(db, secret)
    if found.scope != scope:
        raise UnknownTokenError("This token has another scope.")
    return int(found.user_id)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()

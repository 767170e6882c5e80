"""Users: made, counted and removed."""

from sqlalchemy import Connection, text

from storage.errors import UnknownUserError


def create(db: Connection) -> int:
    """Make a user; their id was never anyone else's."""
    return int(db.execute(text("INSERT INTO users DEFAULT VALUES RETURNING id")).scalar_one())


def delete(db: Connection, user_id: int) -> None:
    """Remove a user with all their views and lists. Raises `UnknownUserError`."""
    if db.execute(text("DELETE FROM users WHERE id = :user"), {"user": user_id}).rowcount == 0:
        raise UnknownUserError(user_id)

"""Errors that only the database can know."""

from settings import OperatorError


class DatabaseUnavailableError(OperatorError):
    """PostgreSQL cannot be reached, or does not answer in time."""


class DatabaseRefusedError(DatabaseUnavailableError):
    """PostgreSQL answers and refuses us, which waiting does not change; the message says what to do."""


class UnknownRevisionError(DatabaseRefusedError):
    """This version does not know the revision that the tables have, or are to have."""

    def __init__(self, revision: str, head: str) -> None:
        super().__init__(
            f"The tables are of revision {revision}, and this version of Matinee knows them up to {head}. Run the "
            "version that made them, or a later one; the only way back is a backup."
        )


class DowngradeRefusedError(OperatorError):
    """Tables are not migrated to an earlier revision: that would drop what it has no columns for."""

    def __init__(self, there: str, wanted: str) -> None:
        super().__init__(
            f"The tables are of revision {there}; {wanted} is an earlier one. To go back, restore the backup that was "
            "taken before the upgrade into an empty database, with the version of Matinee that took it."
        )


class BackupError(OperatorError):
    """A backup cannot be made, or a file cannot be restored here; the message says why."""


class NotEmptyError(OperatorError):
    """A backup is restored into an empty database only, and this one is not."""

    def __init__(self, table: str) -> None:
        super().__init__(
            f"The database is not empty: there are rows in {table}. Nothing was changed. Stop the service, then name a "
            "new database in DATABASE_URL (CREATE DATABASE makes one) or, with the embedded one, another "
            "MATINEE_STATE_DIR, and restore into that."
        )


class UnknownUserError(OperatorError, LookupError):
    """There is no user with this id."""

    def __init__(self, user_id: int) -> None:
        super().__init__(f"There is no user {user_id}.")


class UnknownRatingError(LookupError):
    """This user has not rated this movie."""

    def __init__(self, user_id: int, movie_id: int) -> None:
        super().__init__(f"There is no rating of movie {movie_id} by user {user_id}.")


class UnknownMarkError(LookupError):
    """This user has not marked this movie."""

    def __init__(self, user_id: int, movie_id: int) -> None:
        super().__init__(f"There is no mark of movie {movie_id} by user {user_id}.")


class UnknownTokenError(LookupError):
    """There is no such token, or not any more."""

    def __init__(self, reason: str = "There is no such token, or it was revoked.") -> None:
        super().__init__(reason)


class UnknownGenerationError(OperatorError, LookupError):
    """There is no such generation, or its factors are no longer kept."""

    def __init__(self, generation_id: int) -> None:
        super().__init__(f"Generation {generation_id} does not exist or its factors are no longer kept.")


class UserIdTakenError(OperatorError):
    """Users cannot keep their ids, since other users have them."""

    def __init__(self, *users: str) -> None:
        super().__init__(f"The id of user {', '.join(users[:5])} is taken by another user here.")


class NoLiveGenerationError(OperatorError):
    """There is no live generation to measure."""

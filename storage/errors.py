"""What can be wrong with a request that only the database knows."""


class DatabaseUnavailableError(RuntimeError):
    """PostgreSQL cannot be reached or does not answer in time."""


class DatabaseRefusedError(DatabaseUnavailableError):
    """PostgreSQL answers and does not let us in, which waiting does not mend; the message says what to do."""


class UnknownUserError(LookupError):
    """There is no user with this id."""

    def __init__(self, user_id: int) -> None:
        super().__init__(f"There is no user {user_id}. POST /users/create makes one.")


class UnknownMovieError(LookupError):
    """There is no film with this id, or these, in the catalogue."""

    def __init__(self, *movie_ids: int) -> None:
        super().__init__(f"There is no film {', '.join(map(str, movie_ids))}. Ids are those of MovieLens.")
        self.movie_ids = movie_ids


class UnknownRatingError(LookupError):
    """This user has not rated this film."""

    def __init__(self, user_id: int, movie_id: int) -> None:
        super().__init__(f"There is no rating of film {movie_id} by user {user_id}.")


class UnknownGenerationError(LookupError):
    """There is no such generation, or its factors are no longer kept."""

    def __init__(self, generation_id: int) -> None:
        super().__init__(f"Generation {generation_id} does not exist or its factors are no longer kept.")


class TakenIdError(LookupError):
    """Users who should keep their ids cannot, since others have them."""

    def __init__(self, *users: str) -> None:
        super().__init__(f"The id of user {', '.join(users[:5])} is taken by somebody else here.")


class NothingServedError(LookupError):
    """There is no live generation to measure."""

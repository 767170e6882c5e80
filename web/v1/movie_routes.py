"""Movies: search and browsing, the genres, and how the catalogue has changed."""

from typing import Annotated, Literal

from flask import Response
from pydantic import Field, TypeAdapter

from catalogue.movie import Filters
from catalogue.movie_search import CursorNotFoundError, MovieQuery, Sort, search_page
from catalogue.movie_table import MovieTable
from storage import movie_changes
from web.errors import InvalidInputError
from web.parsing import INT32
from web.v1 import cursors
from web.v1.base_models import QueryModel, ResponseModel
from web.v1.blueprint import answer, conditional_response, database_identity, group, recommender
from web.v1.schemas import PLAIN_INTEGER, Id, Limit, LimitQuery, Movie, MovieTimes, Timestamp

api = group("movies", "The catalogue of movies.")

CACHE_ONE_MINUTE = "private, max-age=60"  # of what changes only with the catalogue or the generation
REVALIDATE_ALWAYS = "private, no-cache"


MOVIE_KEY: TypeAdapter[tuple[int]] = TypeAdapter(tuple[Annotated[int, Field(strict=True, ge=-INT32 - 1, le=INT32)]])


class MoviesQuery(MovieTimes, QueryModel):
    """The movies to find, their order, and the page to return."""

    q: str = Field(
        "",
        max_length=200,
        description="Words of a title, and its year if you like. Case, accents and order do not matter; words may be "
        "missing, the last one may be incomplete, and each may have a typo.",
        json_schema_extra={"example": "lord rings two towers"},
    )
    genre: list[Annotated[str, Field(max_length=50)]] = Field(
        [],
        max_length=10,
        description="A genre of GET /genres, in any case. Repeat it for movies that have all of several genres.",
        json_schema_extra={"example": ["Fantasy"]},
    )
    sort: Literal[Sort, "telling"] = Field(
        "relevance",
        description="relevance: best match with q first, without q like popularity; popularity: most ratings in the "
        "dataset first; rating: highest mean rating first, damped where ratings are few; informative: movies whose "
        "rating says most about a user's taste first, well known and controversial ones (telling is the old name); "
        "year: newest first; title: alphabetical, articles last.",
    )
    movie_id: list[Id] = Field(
        [],
        max_length=100,
        description="Only these movies. Without a limit, all of them are on one page.",
        json_schema_extra={"example": [25904]},
    )
    imdb_id: str | None = Field(
        None,
        pattern="^tt[0-9]{7,10}$",
        description="Only movies with this id.",
        json_schema_extra={"example": "tt0036164"},
    )
    tmdb_id: Annotated[int, Field(ge=1, le=INT32), PLAIN_INTEGER] | None = Field(
        None, description="Only movies with this id.", json_schema_extra={"example": 40092}
    )
    limit: Limit = 20
    cursor: str | None = Field(None, max_length=200, description="The next_cursor of the previous page.")

    @property
    def filters(self) -> Filters:
        """Return the filters as the catalogue takes them."""
        return Filters(
            tuple(self.genre),
            self.year_from,
            self.year_to,
            added_since=self.added_after,
            imdb_id=self.imdb_id,
            tmdb_id=self.tmdb_id,
            movie_ids=tuple(self.movie_id) or None,
        )


class MoviesPage(ResponseModel):
    """A page of movies."""

    items: list[Movie]
    next_cursor: str | None = Field(
        examples=["cDtjqXLJ7zVbNTk1Ml0"], description="The cursor of the next page; null on the last."
    )


class Genre(ResponseModel):
    """A genre."""

    name: str = Field(examples=["Film-Noir"])
    movie_count: int = Field(examples=[87])


class Genres(ResponseModel):
    """All genres of the catalogue, by name."""

    items: list[Genre]


class CatalogueChange(ResponseModel):
    """A movie that was added, changed or withdrawn."""

    movie: Movie
    change: Literal["added", "changed", "withdrawn"] = Field(examples=["added"])
    at: Timestamp | None = Field(description="When it was added or withdrawn; null of a changed one.")


class CatalogueChanges(ResponseModel):
    """The movies that were added, changed or withdrawn since the first dataset."""

    items: list[CatalogueChange] = Field(description="The last change first.")
    total: int = Field(examples=[12], description="The number of all such movies.")


@api.get("/movies", responses={200: MoviesPage, 304: None})
def list_movies(query: MoviesQuery) -> Response:
    """Search and browse movies

    A movie is also looked up by its ids here and elsewhere. One id elsewhere may be that of several movies.
    """
    table = recommender().model.current_movies
    sort: Sort = "informative" if query.sort == "telling" else query.sort
    search = MovieQuery(query.q, query.filters, sort)
    limit = query.limit if "limit" in query.model_fields_set else max(query.limit, len(query.movie_id))
    after = None if query.cursor is None else cursors.decode(query.cursor, repr(search), MOVIE_KEY)[0]

    def found() -> Response:
        try:
            rows, more = search_page(table, search, after, limit)
        except CursorNotFoundError as error:
            raise InvalidInputError(("cursor", str(error))) from error
        items = [Movie.of(table.movie(row)) for row in rows]
        following = cursors.encode(repr(search), items[-1].movie_id) if more else None
        return answer(MoviesPage(items=items, next_cursor=following))

    return conditional_response(f"{catalogue_mark(table)} {query!r}", CACHE_ONE_MINUTE, found)


@api.get("/genres", responses={200: Genres, 304: None})
def list_genres() -> Response:
    """List genres with the number of movies of each"""
    table = recommender().model.current_movies
    counts = {name: int((~table.withdrawn[rows]).sum()) for name, rows in table.by_genre.items()}
    counted = [Genre(name=name, movie_count=count) for name, count in counts.items() if count]
    return conditional_response(catalogue_mark(table), CACHE_ONE_MINUTE, lambda: answer(Genres(items=counted)))


@api.get("/catalogue/changes", responses={200: CatalogueChanges})
def list_catalogue_changes(query: LimitQuery) -> Response:
    """List the movies that were added, changed or withdrawn last"""
    with recommender().database.statement() as db:
        rows = movie_changes.recent(db, query.limit)
    items = [CatalogueChange(movie=Movie.of(row), change=row.change, at=row.at) for row in rows]
    return answer(CatalogueChanges(items=items, total=rows[0].total if rows else 0))


def catalogue_mark(table: MovieTable) -> str:
    """Return what changes with every change of a movie, for an ETag."""
    return f"{database_identity()} {table.version}"

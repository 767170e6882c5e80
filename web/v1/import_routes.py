"""Files in which users bring what they have watched elsewhere."""

from typing import Any, Literal

from flask import Response, request
from pydantic import Field

from histories.matching import RowMatch, plan_import
from histories.reading import History, read_history
from histories.rows import HistoryFileError, HistoryRow
from storage import history_import
from web.errors import InvalidInputError
from web.request_metrics import metrics
from web.v1.base_models import QueryModel, ResponseModel
from web.v1.blueprint import answer, group, recommender
from web.v1.schemas import Movie, UserPath, problems

api = group("imports", "Ratings and watched movies of other services.", takes_files=True)

MOST_SHOWN = 1000
A_FILE = {"type": "string", "format": "binary", "example": "title,year,rating\nMinistry of Fear,1944,4.5\n"}
A_FORM = {"type": "object", "properties": {"file": A_FILE}, "required": ["file"]}
FILE_BODY = {
    "content": {"multipart/form-data": {"schema": A_FORM}, "application/octet-stream": {"schema": A_FILE}},
    "required": True,
}
FileFormat = Literal["auto", "letterboxd", "imdb", "trakt", "tmdb", "movielens", "criticker", "filmtipset", "csv"]


class ImportQuery(QueryModel):
    """How to read the file, and what to do with it."""

    format: FileFormat = Field(
        "auto",
        description="auto finds it by content; any other refuses files of other formats. csv takes exports made here "
        "with format=csv too, whose columns are those of movielens.",
    )
    dry_run: bool = Field(False, description="Change nothing, and answer what would be done.")
    overwrite: bool = Field(False, description="Replace ratings that are stored here, later ones too.")
    scale: Literal["5", "10", "100"] | None = Field(None, description="The best rating, if the file does not tell.")
    unrated: Literal["seen", "later"] | None = Field(
        None, description="What movies without a rating are, if the file does not tell."
    )


class ImportTotals(ResponseModel):
    """How many are new, took the place of one, or changed nothing."""

    created: int = Field(examples=[812])
    replaced: int = Field(examples=[3])
    unchanged: int = Field(examples=[0], description="Stored already, or older than what is stored.")


class UnmatchedRow(ResponseModel):
    """A row whose movie was not found, or whose rating is none."""

    line: int = Field(examples=[17], description="Its line in the file, or its number in JSON and XML.")
    title: str = Field(examples=["Emma"])
    year: int | None = Field(examples=[1996])
    rating: float | None = Field(examples=[4.5], description="In stars; null without one.")
    mark: Literal["seen", "later"] | None = Field(examples=[None])
    reason: str = Field(examples=["several movies have this title"])
    candidates: list[Movie] = Field(description="Movies that it may be, at most five.")


class ImportResult(ResponseModel):
    """What an import did."""

    format: str = Field(examples=["letterboxd"])
    scale: int | None = Field(examples=[5], description="The best rating of the file; null without ratings.")
    dry_run: bool = Field(examples=[False])
    ratings: ImportTotals
    marks: ImportTotals
    rounded: int = Field(examples=[0], description="Ratings between two half stars, which became the nearest.")
    other: int = Field(examples=[2], description="Series, episodes and games, which are left out.")
    unmatched_count: int = Field(examples=[1])
    unmatched: list[UnmatchedRow] = Field(description=f"The first {MOST_SHOWN} of them.")


@api.post(
    "/users/<user_id>/imports",
    responses={200: ImportResult, **problems(403, 404)},
    openapi_extensions={"requestBody": FILE_BODY},
)
def import_history(path: UserPath, query: ImportQuery) -> Response:
    """Import ratings and watched movies from a file

    The file is the body, or the part `file` of a form (multipart/form-data), of up to 10 MiB. All of it is stored or
    nothing, and repeating it changes nothing. Ratings that were given here later stay, unless `overwrite` is set.
    """
    history = _history(query)
    plan = plan_import(history, recommender().model.current_movies)
    with recommender().database.background_transaction() as db:
        stored = history_import.store(db, path.user_id, plan.ratings, plan.marks, query.overwrite, query.dry_run)
    if not query.dry_run:
        metrics().written(stored[0].created, stored[0].replaced)
    did = vars(history) | {"dry_run": query.dry_run, "ratings": stored[0], "marks": stored[1], "other": plan.other}
    shown = [_unmatched(row, match) for row, match in plan.unmatched[:MOST_SHOWN]]
    return answer(ImportResult.model_validate(did | {"unmatched_count": len(plan.unmatched), "unmatched": shown}))


def _history(query: ImportQuery) -> History:
    if request.mimetype == "multipart/form-data":
        if "file" not in request.files:
            raise InvalidInputError(("file", "it is missing; send the file as the part file of the form"))
        data = request.files["file"].read()
    else:
        data = request.get_data(cache=False)
    try:
        history = read_history(data, int(query.scale) if query.scale else None, query.unrated)
    except HistoryFileError as error:
        raise InvalidInputError(("file", str(error))) from error
    is_export = (query.format, history.format) == ("csv", "movielens")  # GET .../export?format=csv has its columns
    if query.format not in ("auto", history.format) and not is_export:
        raise InvalidInputError(("format", f"the file is of the format {history.format}"))
    return history


def _unmatched(row: HistoryRow, match: RowMatch) -> dict[str, Any]:
    movies = recommender().model.movies
    what = {name: getattr(row, name) for name in ("line", "year", "rating", "mark")}
    candidates = [movies.by_id(movie_id) for movie_id in match.candidates]
    return what | {"title": row.title[:200], "reason": match.reason, "candidates": candidates}

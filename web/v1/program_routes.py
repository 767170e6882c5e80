"""Routes for other programs, whose address holds a token: lists to take away, and webhooks of home servers."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from flask import Response, request
from pydantic import Field, RootModel

from histories.matching import MovieMatcher
from histories.rows import HistoryRow, load_json
from histories.webhooks import Action, WebhookError, WebhookEvent, read_webhook
from storage import history_import, tokens, user_ratings
from web.access import PROGRAMS
from web.errors import InvalidInputError
from web.request_metrics import metrics
from web.v1.base_models import ApiModel, QueryModel, RequestModel, ResponseModel
from web.v1.blueprint import answer, group, recommender
from web.v1.recommendation_routes import RecommendationsQuery, record_list
from web.v1.schemas import Movie, problems

api = group(PROGRAMS, "For other programs: the address holds a token in place of a key.", takes_files=True)

WEBHOOK = {
    "type": "object",
    "anyOf": [{"required": ["NotificationType"]}, {"required": ["event"]}],
    "description": "What Jellyfin's webhook plugin sends, with NotificationType, or Plex, with event.",
    "example": {"NotificationType": "PlaybackStop", "PlayedToCompletion": True, "ItemType": "Movie", "Name": "Heat"},
}
PAYLOAD = {"type": "string", "example": '{"event": "media.scrobble", "Metadata": {"type": "movie", "title": "Heat"}}'}
PLEX_FORM = {"type": "object", "properties": {"payload": PAYLOAD}, "required": ["payload"]}
WEBHOOK_BODY = {
    "content": {"application/json": {"schema": WEBHOOK}, "multipart/form-data": {"schema": PLEX_FORM}},
    "required": True,
}


class TokenAddress(RequestModel):
    """The token of the address."""

    token: str = Field(
        description="A token of the scope that the route names.",
        json_schema_extra={"example": "nO2dE5vH0yQkT1hVdM3m0wq8rXfZb7uLJcA4sGp6iKY"},
    )


class ListedMovie(ResponseModel):
    """A movie as Radarr and programs like it import it."""

    title: str = Field(validation_alias="display_title", examples=["Ministry of Fear"])
    year: int | None = Field(examples=[1944])
    imdb_id: str | None = Field(examples=["tt0036164"])
    tmdb_id: int | None = Field(examples=[40092])


class ProgramList(ApiModel, RootModel[list[ListedMovie]]):
    """A user's recommendations, best first."""


class WebhookQuery(QueryModel):
    """Whose events count."""

    account: str | None = Field(
        None,
        max_length=100,
        description="Only events of this account of the home server; without it, of all.",
        json_schema_extra={"example": "anna"},
    )


class WebhookResult(ResponseModel):
    """What a webhook did."""

    result: Literal["rated", "unrated", "seen", "unchanged", "ignored", "unmatched"] = Field(examples=["seen"])
    detail: str = Field(examples=["watched"])
    movie: Movie | None = Field(description="The movie it was about; null if it was none of this catalogue.")


@api.get("/lists/<token>.json", responses={200: ProgramList, **problems(404)})
def show_program_list(path: TokenAddress, query: RecommendationsQuery) -> Response:
    """Recommend movies to the user of a token of the scope `list`, as Radarr imports a custom list

    Without filters the ten movies that the user is shown elsewhere.
    """
    with recommender().database.statement() as db:
        user_id = tokens.user_of(db, path.token, "list")
    viewer = recommender().viewer(user_id, query.since)
    places = viewer.places(query.wanted)
    record_list(viewer, query, places, "list")
    return answer(ProgramList([ListedMovie.model_validate(Movie.of(place.movie)) for place in places]))


@api.post(
    "/hooks/<token>",
    responses={200: WebhookResult, **problems(404)},
    openapi_extensions={"requestBody": WEBHOOK_BODY},
)
def receive_webhook(path: TokenAddress, query: WebhookQuery) -> Response:
    """Take a webhook of Jellyfin or Plex for the user of a token of the scope `hook`

    A rating becomes a rating, a movie that was watched is marked as seen. Movies are found by their IMDb or TMDB id,
    else by title and year; what is no movie of the catalogue changes nothing. Repeating it changes nothing.
    """
    with recommender().database.statement() as db:
        user_id = tokens.user_of(db, path.token, "hook")
    try:
        event = read_webhook(_payload())
    except WebhookError as error:
        raise InvalidInputError(("body", str(error))) from error
    if query.account is not None and event.account != query.account:
        event = WebhookEvent("ignored", "it is of another account")
    return answer(_applied(user_id, event))


def _payload() -> Any:
    """Return the JSON of the body, or of the part `payload` of Plex's form."""
    request.get_data(cache=True, parse_form_data=True)
    sent = request.form.get("payload") or request.get_data()
    if not sent:
        raise WebhookError("it is empty")
    try:
        return load_json(sent)
    except (ValueError, RecursionError):
        raise WebhookError("it is not valid JSON") from None


def _applied(user_id: int, event: WebhookEvent) -> WebhookResult:
    if event.row is None:
        return WebhookResult(result=event.action, detail=event.what, movie=None)
    movies = recommender().model.current_movies
    match = MovieMatcher(movies).match(event.row)
    if match.movie_id is None:
        return WebhookResult(result="unmatched", detail=match.reason, movie=None)
    movie = Movie.of(movies.by_id(match.movie_id))
    changed = _stored(user_id, match.movie_id, event.action, event.row)
    return WebhookResult(result=event.action if changed else "unchanged", detail=event.what, movie=movie)


def _stored(user_id: int, movie_id: int, action: Action, row: HistoryRow) -> bool:
    now = datetime.now(UTC)
    with recommender().database.transaction() as db:
        if action == "unrated":
            return user_ratings.remove(db, user_id, movie_id)
        sent = {movie_id: replace(row, at=now)}
        ratings, marks = (sent, {}) if action == "rated" else ({}, sent)
        rated, marked = history_import.store(db, user_id, ratings, marks, overwrite=True)
    metrics().written(rated.created, rated.replaced)
    return bool(rated.created + rated.replaced + marked.created + marked.replaced)

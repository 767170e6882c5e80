"""Read the webhooks of Jellyfin and Plex, which say that a user has watched or rated a movie."""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from histories.rows import HistoryRow, imdb_id, positive, stars, text_of

Action = Literal["rated", "unrated", "seen", "ignored"]

PLEX_SCALE = 10
IMDB_ADDRESS, TMDB_ADDRESS = re.compile(r"imdb://(tt[0-9]+)"), re.compile(r"(?:tmdb|themoviedb)://([0-9]+)")
TRUE = (True, "true", "True", "1", 1)  # a template of Jellyfin's may write it as text


class WebhookError(ValueError):
    """The body is not what Jellyfin or Plex sends; the message says why."""


class WebhookEvent(NamedTuple):
    """What a server reports: the movie, what to do with it, and who did it, by the name that the server knows."""

    action: Action
    what: str
    row: HistoryRow | None = None
    account: str | None = None


def read_webhook(sent: object) -> WebhookEvent:
    """Return what a webhook reports. Raises `WebhookError`."""
    if not isinstance(sent, Mapping):
        raise WebhookError("send a JSON object, as the webhooks of Jellyfin and Plex do")
    if "NotificationType" in sent:
        return _of_jellyfin(sent)
    if "event" in sent:
        return _of_plex(sent)
    raise WebhookError("it has neither NotificationType, as Jellyfin sends, nor event, as Plex does")


def _of_jellyfin(sent: Mapping[str, Any]) -> WebhookEvent:
    kind, account = text_of(sent.get("NotificationType")), text_of(sent.get("NotificationUsername")) or None
    watched = kind == "PlaybackStop" and sent.get("PlayedToCompletion") in TRUE
    marked = kind == "UserDataSaved" and sent.get("SaveReason") == "TogglePlayed" and sent.get("Played") in TRUE
    if not (watched or marked):
        return WebhookEvent("ignored", _other(sent, "NotificationType", "a movie that was watched"), None, account)
    if sent.get("ItemType") != "Movie":
        return WebhookEvent("ignored", _other(sent, "ItemType", "a movie"), None, account)
    row = HistoryRow(
        1,
        text_of(sent.get("Name")),
        positive(sent.get("Year")),
        mark="seen",
        imdb_id=imdb_id(sent.get("Provider_imdb")),
        tmdb_id=positive(sent.get("Provider_tmdb")),
    )
    return WebhookEvent("seen", "watched", row, account)


def _of_plex(sent: Mapping[str, Any]) -> WebhookEvent:
    event, account = text_of(sent["event"]), text_of(_mapping(sent.get("Account")).get("title")) or None
    movie = _mapping(sent.get("Metadata"))
    if event not in ("media.scrobble", "media.rate"):
        return WebhookEvent("ignored", _other(sent, "event", "a movie that was watched or rated"), None, account)
    if movie.get("type") != "movie":
        return WebhookEvent("ignored", _other(movie, "type", "a movie"), None, account)
    listed = movie["Guid"] if isinstance(movie.get("Guid"), list) else []
    guids = " ".join(text_of(guid) for guid in (movie.get("guid"), *(_mapping(one).get("id") for one in listed)))
    imdb, tmdb = IMDB_ADDRESS.search(guids), TMDB_ADDRESS.search(guids)
    row = HistoryRow(
        1,
        text_of(movie.get("title")),
        positive(movie.get("year")),
        imdb_id=imdb_id(imdb[1]) if imdb else None,
        tmdb_id=positive(tmdb[1]) if tmdb else None,
    )
    if event == "media.scrobble":
        row.mark = "seen"
        return WebhookEvent("seen", "watched", row, account)
    rating = _rating(movie.get("userRating", sent.get("rating")))
    if rating <= 0:
        return WebhookEvent("unrated", "its rating was taken back", row, account)
    try:
        row.rating = stars(rating, PLEX_SCALE)
    except ValueError as error:
        raise WebhookError(str(error)) from error
    return WebhookEvent("rated", f"rated {row.rating:g}", row, account)


def _other(sent: Mapping[str, Any], name: str, wanted: str) -> str:
    value = text_of(sent.get(name))[:50]
    return f"{value} is not {wanted}" if value else f"{name} is missing"


def _rating(value: object) -> float:
    if value is None:
        return 0
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise WebhookError(f"the rating {str(value)[:20]!r} is not a number") from None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

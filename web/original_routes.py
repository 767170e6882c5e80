"""The routes of the first release; their shapes may not change."""

import json
from typing import Any
from weakref import WeakKeyDictionary

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from sqlalchemy import Row

from catalogue.movie import CatalogueMovie
from catalogue.recommendations import RecommendationList, RecommendedMovie
from recommender import Recommender
from storage import tokens, user_ratings, users
from storage.impressions import ShownList
from web.access import user_tokens
from web.impressions import record, with_list_id
from web.parsing import parse_id, parse_rating
from web.request_metrics import metrics

original_routes = Blueprint("original", __name__)

Pairs = list[list[Any]]
JSON = "application/json"
NOT_KEPT = {"Cache-Control": "no-store"}  # creating a user has an effect, the others change with each rating

_answers: WeakKeyDictionary[RecommendationList, tuple[str, ShownList]] = WeakKeyDictionary()  # as long as their lists


@original_routes.route("/users/create", methods=["GET", "POST"])
def create_user() -> Response:
    with _recommender().database.transaction() as db:
        user_id = users.create(db)
        token = {"token": tokens.create(db, user_id, "self")[1]} if user_tokens() else {}
    return _json({"success": True, "user_id": user_id, **token})


@original_routes.record
def _refuse_head_of_create(state: BlueprintSetupState) -> None:
    """Remove HEAD, which Flask adds to every GET; here it would create a user."""
    for rule in state.app.url_map.iter_rules("original.create_user"):
        (rule.methods or set()).discard("HEAD")


@original_routes.get("/users/<user_id>/views")
def list_views(user_id: str) -> Response:
    user = parse_id("user_id", user_id)
    with _recommender().database.statement() as db:
        rows = user_ratings.of_user(db, user)
    return _json([_view_pairs(row) for row in rows])


@original_routes.post("/users/<user_id>/views/<movie_id>")
def put_view(user_id: str, movie_id: str) -> Response:
    user, movie, rating = parse_id("user_id", user_id), parse_id("movie_id", movie_id), parse_rating(request)
    with _recommender().database.statement() as db:
        created = user_ratings.put(db, user, movie, rating)
    _recommender().forget(user)
    metrics().written(created=created, replaced=not created)
    return _json({"success": True}, 201 if created else 200)


@original_routes.get("/users/<user_id>/recommendations")
def list_recommendations(user_id: str) -> Response:
    user = parse_id("user_id", user_id)
    found = _recommender().recommend(user)
    metrics().listed(found.made)
    body, shown = _answer(found)
    response = Response(body, headers=NOT_KEPT, content_type=JSON)
    return with_list_id(response, record(user, "original", shown))


def _answer(found: RecommendationList) -> tuple[str, ShownList]:
    """Return the JSON of a list, and what is recorded of it: made once however often it is answered."""
    answer = _answers.get(found)
    if answer is None:
        body = json.dumps([_recommendation_pairs(item) for item in found.items])
        movie_ids = tuple(item.movie.movie_id for item in found.items)
        expected = tuple(round(item.expected_rating, 2) for item in found.items)
        shown = ShownList(found.generation_id, movie_ids, expected, 1, found.experiment, found.arm, found.teams)
        answer = _answers[found] = body, shown
    return answer


def _view_pairs(row: Row[Any]) -> Pairs:
    return [["movie_id", row.movie_id], *_movie_pairs(row), ["rating", row.rating]]


def _recommendation_pairs(item: RecommendedMovie) -> Pairs:
    movie_id = ["movie_id", item.movie.movie_id]
    return [movie_id, ["expected_rating", round(item.expected_rating, 2)], movie_id, *_movie_pairs(item.movie)]


def _movie_pairs(movie: Row[Any] | CatalogueMovie) -> Pairs:
    return [["title", movie.title], ["description", movie.genres], ["year", movie.year]]


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, NOT_KEPT, content_type=JSON)


def _recommender() -> Recommender:
    return current_app.extensions["recommender"]

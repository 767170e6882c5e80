"""What has become of the catalogue since the first dataset was taken in."""

from typing import Literal

from flask import Response
from pydantic import Field

from storage import movie_changes
from web.v1.base_models import QueryModel, ResponseModel
from web.v1.blueprint import answer, recommender
from web.v1.movie_routes import api
from web.v1.schemas import Limit, Movie, Timestamp


class CatalogueChangesQuery(QueryModel):
    """The number of changes to return."""

    limit: Limit = 20


class CatalogueChange(ResponseModel):
    """A movie that was added, changed or withdrawn."""

    movie: Movie
    change: Literal["added", "changed", "withdrawn"] = Field(examples=["added"])
    at: Timestamp | None = Field(description="When it was added or withdrawn; null of a changed one.")


class CatalogueChanges(ResponseModel):
    """The movies that were added, changed or withdrawn since the first dataset."""

    items: list[CatalogueChange] = Field(description="The last change first.")
    total: int = Field(examples=[12], description="The number of all such movies.")


@api.get("/catalogue/changes", responses={200: CatalogueChanges})
def list_catalogue_changes(query: CatalogueChangesQuery) -> Response:
    """List the movies that were added, changed or withdrawn last"""
    with recommender().database.statement() as db:
        rows = movie_changes.recent(db, query.limit)
    items = [CatalogueChange(movie=Movie.of(row), change=row.change, at=row.at) for row in rows]
    return answer(CatalogueChanges(items=items, total=rows[0].total if rows else 0))

"""What the models of requests and responses of /api/v1 are made of."""

import json
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict


class ApiModel(BaseModel):
    """A part of a request or response."""

    @classmethod
    @cache  # flask-openapi3 asks for it on every request, and making it takes longer than many answers
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Return the JSON schema of this model, with `example` for each list of `examples`, which flask-openapi3 drops.

        Of these Swagger UI composes the examples of bodies.
        """
        return json.loads(json.dumps(super().model_json_schema(*args, **kwargs)), object_hook=_with_example)


def _with_example(part: dict[str, Any]) -> dict[str, Any]:
    if "examples" in part:
        part["example"] = part.pop("examples")[0]
    return part


class RequestModel(ApiModel):
    """A part of a request: path, query, headers or body."""


class RequestBody(RequestModel):
    """A JSON body of a request. Numbers must be JSON numbers, and unknown names are refused, not ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)


class QueryModel(RequestModel):
    """A query. Unknown names are refused: otherwise a misspelt filter would go unnoticed."""

    model_config = ConfigDict(extra="forbid")


class ResponseModel(ApiModel):
    """A JSON body of a response, or a part of one. It can be made of an object with these attributes."""

    model_config = ConfigDict(from_attributes=True)


def with_location(about: str) -> ConfigDict:
    """Return the configuration of a response that has a header `Location`."""
    header = {"Location": {"description": about, "schema": {"type": "string"}}}
    return ConfigDict(openapi_extra={"headers": header})  # type: ignore[typeddict-unknown-key]

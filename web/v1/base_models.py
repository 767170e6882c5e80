"""What the models of /api/v1 are made of: requests, responses, and their examples in the OpenAPI document."""

from functools import cache
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

Schema = dict[str, Any]


def example_of(schema: Schema, named: dict[str, Schema] | None = None) -> Any:
    """Return an instance of a JSON schema, composed of the first example of each of its parts."""
    named = named or schema.get("$defs", {})
    if "examples" in schema:
        return schema["examples"][0]
    if "example" in schema:
        return schema["example"]
    if "$ref" in schema:
        return example_of(named[schema["$ref"].rpartition("/")[2]], named)
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], named)
    if "properties" in schema:
        sent = {name: part for name, part in schema["properties"].items() if part.get("default") is not False}
        return {name: example_of(part, named) for name, part in sent.items()}
    if "items" in schema:
        return [example_of(schema["items"], named)]
    return schema.get("const", schema.get("enum", [schema.get("default")])[0])


class RequestModel(BaseModel):
    """A part of a request: path, query, headers or body."""

    @classmethod
    @cache  # flask-openapi3 asks for it on every request, and making it takes longer than many answers
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> Schema:  # type: ignore[override]
        """Return the JSON schema of this model."""
        return super().model_json_schema(*args, **kwargs)


class BodyModel(BaseModel):
    """A JSON body. Its documented example is composed of its fields' examples, unless it has its own."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        config = cast(Schema, cls.model_config)
        inherited = [base.model_config.get("openapi_extra") for base in cls.__bases__ if issubclass(base, BaseModel)]
        own = config.get("openapi_extra")
        described = own if own and own not in inherited else {}
        config["openapi_extra"] = {"example": example_of(cls.model_json_schema(mode="serialization"))} | described


class RequestBody(RequestModel, BodyModel):
    """A JSON body of a request. Numbers must be JSON numbers, and unknown names are refused, not ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)


class QueryModel(RequestModel):
    """A query. Unknown names are refused: otherwise a misspelt filter would go unnoticed."""

    model_config = ConfigDict(extra="forbid")


class ResponseModel(BodyModel):
    """A JSON body of a response, or a part of one. It can be made of an object with these attributes."""

    model_config = ConfigDict(from_attributes=True)


def with_location(about: str) -> ConfigDict:
    """Return the configuration of a response that has a header `Location`."""
    header = {"Location": {"description": about, "schema": {"type": "string"}}}
    return ConfigDict(openapi_extra={"headers": header})  # type: ignore[typeddict-unknown-key]

"""Examples for the OpenAPI document, composed of the examples of a model's fields."""

from typing import Any

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

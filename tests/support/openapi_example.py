"""Examples as Swagger UI makes them: composed of the example of each part of a schema."""

from typing import Any


def example_of(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """Return an instance of a schema of an OpenAPI document."""
    if "example" in schema:
        return schema["example"]
    if "$ref" in schema:
        return example_of(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], document)
    if "properties" in schema:
        sent = {name: part for name, part in schema["properties"].items() if part.get("default") is not False}
        return {name: example_of(part, document) for name, part in sent.items()}
    if "items" in schema:
        return [example_of(schema["items"], document)]
    return schema.get("const", schema.get("enum", [schema.get("default")])[0])

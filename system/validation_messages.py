"""Plain sentences for the faults that Pydantic finds in what users, programs and operators send."""

from collections.abc import Mapping
from typing import Any

WHOLE, NUMBER, OBJECT = "it must be a whole number", "it must be a number", "it must be an object"
TRUTH, UUID, TIME = "it must be true or false", "it must be a UUID", "it must be a time like 2026-01-31T12:00:00Z"
MESSAGES = {  # by Pydantic's type of the error, with its context in braces
    "missing": "it is missing",
    "extra_forbidden": "there is no such member",
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_from_float": WHOLE,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": NUMBER,
    "bool_type": TRUTH,
    "bool_parsing": TRUTH,
    "string_type": "it must be a text",
    "list_type": "it must be an array",
    "dict_type": OBJECT,
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "datetime_type": TIME,
    "datetime_parsing": TIME,
    "datetime_from_date_parsing": TIME,
    "uuid_type": UUID,
    "uuid_parsing": UUID,
    "timezone_aware": "it has no time zone",
    "literal_error": "it must be {expected}",
    "greater_than": "it must be above {gt}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than_equal": "it must be at most {le}",
    "too_short": "it must have at least {min_length} items",
    "too_long": "it must have at most {max_length} items",
    "string_too_short": "it must have at least {min_length} characters",
    "string_too_long": "it must have at most {max_length} characters",
    "string_pattern_mismatch": "it must match the pattern {pattern}",
}
UNKNOWN_MEMBER, UNKNOWN_PARAMETER = MESSAGES["extra_forbidden"], "there is no such parameter"  # of a body, of a query


def message_of(fault: Mapping[str, Any]) -> str:
    """Return the sentence for one of a ValidationError's errors; Pydantic's own where `MESSAGES` has none."""
    sentence = MESSAGES.get(fault["type"])
    return sentence.format_map(fault.get("ctx", {})) if sentence else fault["msg"].removeprefix("Value error, ")

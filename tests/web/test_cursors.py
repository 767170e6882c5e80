"""A cursor is what we made for this very query, or it is refused."""

import base64
import json
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter

from web.errors import InvalidInputError
from web.v1.cursors import decode, encode

ANY: TypeAdapter[list[Any]] = TypeAdapter(list[Any])
ONE: TypeAdapter[tuple[int]] = TypeAdapter(tuple[Annotated[int, Field(strict=True, le=2**31 - 1)]])
EXAMPLES = settings(derandomize=True, database=None, deadline=None)
KEYS = st.lists(st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20))


@EXAMPLES
@given(scope=st.text(max_size=40), key=KEYS)
def test_a_cursor_comes_back_as_the_key_it_was_made_of(scope: str, key: list[int | float | str | None]) -> None:
    assert decode(encode(scope, *key), scope, ANY) == key


def test_a_cursor_needs_no_escaping_in_a_query() -> None:
    made = {encode("movies", key) for key in range(500)}
    assert len(made) == 500
    assert all(cursor.replace("-", "").replace("_", "").isalnum() for cursor in made)


@pytest.mark.parametrize("key", [[], [None], ["17"], [1.5], [True], [2**31], [1, 2], [[1]]], ids=str)
def test_a_key_of_other_types_is_refused(key: list[Any]) -> None:
    assert decode(encode("movies", 17), "movies", ONE) == (17,)
    with pytest.raises(InvalidInputError, match="cursor"):
        decode(encode("movies", *key), "movies", ONE)


def test_a_cursor_of_another_query_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="cursor"):
        decode(encode("movies of 1999", 17), "movies of 1998", ANY)


def test_a_changed_character_is_noticed_wherever_it_is() -> None:
    cursor = encode("movies", 17, 0.25)
    for at, letter in enumerate(cursor):
        other = "A" if letter != "A" else "B"
        with pytest.raises(InvalidInputError):
            decode(cursor[:at] + other + cursor[at + 1 :], "movies", ANY)
    for cut in range(len(cursor)):
        with pytest.raises(InvalidInputError):
            decode(cursor[:cut], "movies", ANY)


def test_what_was_never_a_cursor_is_refused() -> None:
    made = encode("movies", 17)
    for sent in ["", "=", "%", "17", "\0", "ü", "null", "A" * 9999, made + "=", f" {made}"]:
        with pytest.raises(InvalidInputError):
            decode(sent, "movies", ANY)


def test_a_cursor_without_our_checksum_is_refused() -> None:
    for key in ["17", '{"a": 1}', "[" * 5000, '[{"a": 1}]', "[17]", "[NaN]", "[", ""]:
        made = base64.urlsafe_b64encode(b"checksum" + key.encode()).rstrip(b"=").decode()
        with pytest.raises(InvalidInputError):
            decode(made, "movies", ANY)


@EXAMPLES
@given(st.text())
def test_no_text_ends_in_anything_but_a_key_or_a_refusal(sent: str) -> None:
    try:
        key = decode(sent, "movies", ANY)
    except InvalidInputError:
        return
    assert json.dumps(key)

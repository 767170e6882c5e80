"""What the client has already is not sent again, and not even made."""

from collections.abc import Callable

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from web.v1.blueprint import conditional_response

BODY = b'{"title": "Heat"}'


class Movie:
    """A resource with a state, which counts how often its answer is made."""

    def __init__(self) -> None:
        self.state = "first"
        self.made = 0

    def answer(self) -> Response:
        def make() -> Response:
            self.made += 1
            return Response(BODY, content_type="application/json")

        return conditional_response(f'any "{self.state}" state, \n even ü\udfff', "private, max-age=60", make)


@pytest.fixture
def movie() -> Movie:
    return Movie()


@pytest.fixture
def client(movie: Movie) -> FlaskClient:
    app = Flask(__name__)
    app.get("/movie")(movie.answer)
    return app.test_client()


def test_the_answer_says_how_long_it_is_good_and_by_what_to_ask_again(client: FlaskClient) -> None:
    answer = client.get("/movie")
    assert (answer.status_code, answer.data) == (200, BODY)
    assert answer.headers["Cache-Control"] == "private, max-age=60"
    assert answer.headers["ETag"].startswith('W/"')
    assert answer.headers["ETag"].isascii()


ASK = {
    "the same": lambda etag: etag,
    "the same as a strong one": lambda etag: etag.removeprefix("W/"),
    "one of a list": lambda etag: f'"other", {etag} ,W/"another"',
    "anything": lambda etag: "*",
}


@pytest.mark.parametrize("ask", ASK.values(), ids=list(ASK))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_client_has_is_not_made_again(
    client: FlaskClient, movie: Movie, ask: Callable[[str], str], method: str
) -> None:
    etag = client.get("/movie").headers["ETag"]
    answer = client.open("/movie", method=method, headers={"If-None-Match": ask(etag)})
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == etag
    assert answer.headers["Cache-Control"] == "private, max-age=60"
    assert movie.made == 1


@pytest.mark.parametrize("sent", ["", '"other"', "W/", '"', "no quotes", '"a", "b"'])
def test_whatever_else_the_client_has_it_gets_the_answer(client: FlaskClient, sent: str) -> None:
    answer = client.get("/movie", headers={"If-None-Match": sent})
    assert (answer.status_code, answer.data) == (200, BODY)


def test_a_change_is_sent(client: FlaskClient, movie: Movie) -> None:
    old = client.get("/movie").headers["ETag"]
    movie.state = "second"
    answer = client.get("/movie", headers={"If-None-Match": old})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != old

"""The routes that clients know, over real HTTP: every shape byte for byte, and every refusal in one form."""

import gzip
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from handmade_model import fill_movies, new_user, publish, two_tastes

from health import Health
from recommender import Recommender
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from web.parsing import LARGEST_BODY

# what a title can hold: nothing odd, an accent, quotes, commas and parentheses, no year, and characters of four bytes
CATALOGUE = [
    (25904, "Ministry of Fear", "Drama|Film-Noir|Thriller", 1944),
    (25905, "Amélie (Le fabuleux destin d'Amélie Poulain)", "Comedy|Romance", 2001),
    (25906, '"Great Performances" Cats', "Musical", 1998),
    (25907, "Lonely Wife, The (Charulata)", "Drama|Romance", 1964),
    (25908, "Babylon 5", "(no genres listed)", None),
    (2**31 - 1, 'A\\B, "C"\n😀', "Horror", 1000),
]
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
ROUTES = {
    "/": {"GET", "HEAD"},
    "/static/matinee.css": {"GET", "HEAD"},
    "/users/create": {"GET", "POST"},
    "/users/1/views": {"GET", "HEAD"},
    "/users/1/views/25904": {"POST"},
    "/users/1/recommendations": {"GET", "HEAD"},
    "/health/live": {"GET", "HEAD"},
    "/health/ready": {"GET", "HEAD"},
}
Serve = Callable[[Recommender, Health], httpx.Client]


@pytest.fixture
def client(database: Database, serve: Serve, ready: Health) -> httpx.Client:
    """A client of a service with six movies, user 1, and no training."""
    with database.transaction() as db:
        fill_movies(db, [(*movie, 9, 30.0, 9 - n, 4.58 - n) for n, movie in enumerate(CATALOGUE[:5])])
        fill_movies(db, [(*CATALOGUE[5], 0, 0.0, 0, 0.5)])
    new_user(database)
    return serve(Recommender(database), ready)


def rate(client: httpx.Client, body: bytes, content_type: str | None = JSON, movie: object = 25904) -> httpx.Response:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return client.post(f"/users/1/views/{movie}", content=body, headers=headers)


def assert_problem(answer: httpx.Response, status: int, *, where: str | None = None) -> None:
    """The answer is the one error body, with exactly its members."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    expected = {"type", "title", "status", "detail", "code", "success", "request_id"} | ({"errors"} if where else set())
    assert set(body) == expected
    assert body["request_id"] == answer.headers["x-request-id"] != ""
    assert (body["type"], body["status"], body["success"]) == ("about:blank", status, False)
    assert body["title"]
    assert body["detail"]
    assert re.fullmatch("[a-z0-9_]+", body["code"])
    if where:
        assert [set(error) for error in body["errors"]] == [{"where", "message"}]
        assert body["errors"][0]["where"] == where
    for leak in ("<html", "Traceback", "SELECT", "INSERT", "psycopg2", "sqlalchemy"):
        assert leak.lower() not in answer.text.lower()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_user_is_created_by(method: str, client: httpx.Client) -> None:
    answers = [client.request(method, "/users/create") for _ in range(2)]
    assert [answer.content for answer in answers] == [
        b'{"success": true, "user_id": 2}',
        b'{"success": true, "user_id": 3}',
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == JSON
        assert answer.headers["cache-control"] == "no-store"


def test_asking_for_the_head_of_create_makes_no_user(client: httpx.Client) -> None:
    answer = client.head("/users/create")
    assert (answer.status_code, answer.content) == (405, b"")
    assert client.post("/users/create").json()["user_id"] == 2


def test_views_come_newest_first_in_the_documented_shape(client: httpx.Client) -> None:
    assert client.get("/users/1/views").content == b"[]"
    for movie, rating in zip(CATALOGUE, (4.5, 0.5, 3, 5.0, 1, 2.5), strict=True):
        assert rate(client, json.dumps({"rating": rating}).encode(), movie=movie[0]).status_code == 201
    answer = client.get("/users/1/views")
    assert answer.headers["content-type"] == JSON
    newest, oldest = answer.text.split("]], ")[0], answer.text.split("]], ")[-1]
    assert oldest == (
        '[["movie_id", 25904], ["title", "Ministry of Fear"], ["description", "Drama|Film-Noir|Thriller"], '
        '["year", 1944], ["rating", 4.5]]]'
    )
    assert newest.startswith('[[["movie_id", 2147483647], ["title", "A\\\\B, \\"C\\"\\n')
    assert answer.json() == [
        [["movie_id", movie], ["title", title], ["description", genres], ["year", year], ["rating", rating]]
        for (movie, title, genres, year), rating in zip(CATALOGUE[::-1], (2.5, 1.0, 5.0, 3.0, 0.5, 4.5), strict=True)
    ]


def test_a_new_view_is_201_and_a_replaced_one_200_and_newest(client: httpx.Client) -> None:
    first = rate(client, b'{"rating": 4}')
    rate(client, b'{"rating": 2}', movie=25905)
    again = rate(client, b'{"rating": 1.5}')
    assert (first.status_code, first.content, first.headers["content-type"]) == (201, b'{"success": true}', JSON)
    assert (again.status_code, again.content, again.headers["content-type"]) == (200, b'{"success": true}', JSON)
    views = [dict(pairs) for pairs in client.get("/users/1/views").json()]
    assert [(view["movie_id"], view["rating"]) for view in views] == [(25904, 1.5), (25905, 2.0)]


def test_recommendations_have_the_documented_shape_before_a_training(client: httpx.Client) -> None:
    rate(client, b'{"rating": 4}', movie=25905)
    answer = client.get("/users/1/recommendations")
    assert answer.headers["content-type"] == JSON
    assert answer.text.split("]], ")[0] + "]]" == (
        '[[["movie_id", 25904], ["expected_rating", 4.58], ["movie_id", 25904], ["title", "Ministry of Fear"], '
        '["description", "Drama|Film-Noir|Thriller"], ["year", 1944]]'
    )
    assert [pairs[0][1] for pairs in answer.json()] == [25904, 25906, 25907, 25908, 2**31 - 1]
    assert answer.json()[3][3:] == [["title", "Babylon 5"], ["description", "(no genres listed)"], ["year", None]]


def test_recommendations_have_the_same_shape_after_a_training(
    client: httpx.Client, database: Database, serve: Serve, ready: Health
) -> None:
    recommender = Recommender(database)
    publish(recommender, two_tastes(movies=[movie[0] for movie in CATALOGUE]))
    catalogue = {movie[0]: movie for movie in CATALOGUE}
    trained = serve(recommender, ready)
    made, stored = trained.get("/users/1/recommendations"), trained.get("/users/1/recommendations")
    assert made.content == stored.content
    assert len(made.json()) == len(CATALOGUE)
    for pairs in made.json():
        movie, title, genres, year = catalogue[pairs[0][1]]
        expected = pairs[1][1]
        assert 0.5 <= expected == round(expected, 2) <= 5
        assert pairs == [
            ["movie_id", movie], ["expected_rating", expected], ["movie_id", movie],
            ["title", title], ["description", genres], ["year", year],
        ]  # fmt: skip


MULTIPART = b'--x\r\nContent-Disposition: form-data; name="rating"\r\n\r\n4.5\r\n--x--\r\n'


ACCEPTED = [
    (b'{"rating": 4.5}', JSON),
    (b'{"rating": 4.5}\n', "application/json; charset=utf-8"),
    (b'{"rating": 4.5}', FORM),  # what curl declares by itself
    (b'{"rating": 4.5, "comment": "a&rating"}', FORM),
    (b'{"rating": 4.5}', None),
    (b'{"other": "\xc3\xa9", "rating": 45e-1}', JSON),
    (b"rating=4.5", FORM),
    (b"comment=x&rating=4.5", FORM),
    (MULTIPART, "multipart/form-data; boundary=x"),
    (b" " * (LARGEST_BODY - 15) + b'{"rating": 4.5}', JSON),
    (b" " * (LARGEST_BODY - 15) + b'{"rating": 4.5}', FORM),
]


def test_a_rating_is_taken_however_it_is_sent(client: httpx.Client) -> None:
    for body, content_type in ACCEPTED:
        rate(client, b'{"rating": 1}')
        assert rate(client, body, content_type).status_code == 200, body[-100:]
        assert dict(client.get("/users/1/views").json()[0])["rating"] == 4.5


def test_every_half_step_is_a_rating(client: httpx.Client) -> None:
    for rating in [n / 2 for n in range(1, 11)]:
        for body, content_type in (
            (json.dumps({"rating": rating}).encode(), JSON),
            (f"rating={rating}".encode(), FORM),
        ):
            assert rate(client, body, content_type).status_code in (200, 201)
            assert dict(client.get("/users/1/views").json()[0])["rating"] == rating


WRONG_RATINGS = ["4.25", "0", "5.5", '"4.5"', "true", "NaN", "Infinity", "-1", "1e309", "[]", "null", "{}", "[4.5]",
                 "1" + "0" * 400, "1e-400", "4.500001"]  # fmt: skip


WRONG_FIELDS = ["4.25", "0", "5.5", "nan", "inf", "true", "", "four", "4,5", "1e309", "4.5x"]


def test_a_rating_off_the_scale_is_refused(client: httpx.Client) -> None:
    for content_type in (JSON, FORM, None):
        for rating in WRONG_RATINGS:
            assert_problem(rate(client, f'{{"rating": {rating}}}'.encode(), content_type), 400, where="rating")
    for field in WRONG_FIELDS:
        assert_problem(rate(client, f"rating={field}".encode(), FORM), 400, where="rating")
    for body in (b"{}", b"[]", b"4.5", b'"rating"', b"null", b'{"Rating": 4.5}'):
        assert_problem(rate(client, body), 400, where="rating")
    assert client.get("/users/1/views").content == b"[]"


BROKEN = [b"", b"{", b'{"rating": 4.5', b"{'rating': 4.5}", b"[" * 100_000, b'{"a":' * 50_000, b'{"rating": 4.5}\xff',
          b"\xff\xfe", b'{"rating": ' + b"9" * 5000 + b"}", '{"rating": 4.5}'.encode("utf-16"), b"\x00"]  # fmt: skip


def test_a_body_that_is_not_json_is_refused(client: httpx.Client) -> None:
    for content_type in (JSON, FORM):
        for body in BROKEN:
            assert_problem(rate(client, body, content_type), 400, where="body")


def test_another_content_type_is_refused(client: httpx.Client) -> None:
    for content_type in ("text/plain", "application/xml", "application/octet-stream", "nonsense"):
        assert_problem(rate(client, b'{"rating": 4.5}', content_type), 415)


def test_a_compressed_body_is_refused(client: httpx.Client) -> None:
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    body = gzip.compress(b'{"rating": 4.5}')
    assert_problem(client.post("/users/1/views/25904", content=body, headers=headers), 415)


def test_options_of_the_server_as_a_whole_are_answered(client: httpx.Client) -> None:
    answer = client.request("OPTIONS", "/", extensions={"target": b"*"})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("content_type", [JSON, FORM])
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked"])
def test_a_body_over_one_mebibyte_is_refused(chunked: bool, content_type: str, client: httpx.Client) -> None:
    body = b" " * (LARGEST_BODY - 14) + b'{"rating": 4.5}'

    def chunks() -> Iterator[bytes]:
        yield from (body[at : at + 65536] for at in range(0, len(body), 65536))

    content: Any = chunks() if chunked else body
    answer = client.post("/users/1/views/25904", content=content, headers={"Content-Type": content_type})
    assert_problem(answer, 413)
    assert client.get("/users/1/views").content == b"[]"


NOT_INT32 = [
    "abc",
    "1.5",
    "2147483648",
    "-2147483649",
    "99999999999999999999",
    "1e3",
    "+1",
    "%D9%A1",
    "0x10",
    "%20",
    "1%00",
]


def test_an_id_that_is_no_int32_is_refused(client: httpx.Client) -> None:
    for wrong in NOT_INT32:
        assert_problem(client.get(f"/users/{wrong}/views"), 400, where="user_id")
        assert_problem(client.get(f"/users/{wrong}/recommendations"), 400, where="user_id")
        assert_problem(client.post(f"/users/{wrong}/views/1", json={"rating": 4}), 400, where="user_id")
        assert_problem(client.post(f"/users/1/views/{wrong}", json={"rating": 4}), 400, where="movie_id")


def test_an_unknown_user_or_movie_is_not_found_and_changes_nothing(client: httpx.Client) -> None:
    for unknown in (2, 0, -1, 2**31 - 1, -(2**31)):
        assert_problem(client.get(f"/users/{unknown}/views"), 404)
        assert_problem(client.get(f"/users/{unknown}/recommendations"), 404)
        assert_problem(client.post(f"/users/{unknown}/views/25904", json={"rating": 4}), 404)
    for unknown in (1, 0, -1, 2**31 - 2, -(2**31)):
        assert_problem(rate(client, b'{"rating": 4}', movie=unknown), 404)
    assert client.get("/users/1/views").content == b"[]"


NO_ROUTES = ["/users", "/users/", "/users/1", "/users/create/", "/users/1/views/", "/users/1/views/25904/",
             "/users/1//views", "/users//create", "/nowhere", "/health", "/users/1/views/../../../etc", "/%00",
             "/static"]  # fmt: skip


def test_an_unknown_route_is_not_found(client: httpx.Client) -> None:
    for path in NO_ROUTES:
        for method in ("GET", "POST", "OPTIONS"):
            url = httpx.URL(client.base_url, raw_path=path.encode())
            assert_problem(client.request(method, url), 404)


METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"}


def test_a_wrong_method_is_told_the_right_ones(client: httpx.Client) -> None:
    for path, right in ROUTES.items():
        for method in sorted(METHODS - right):
            answer = client.request(method, path)
            assert set(answer.headers["allow"].split(", ")) == right | {"OPTIONS"}, f"{method} {path}"
            if method == "HEAD":
                assert (answer.status_code, answer.content) == (405, b"")
            else:
                assert_problem(answer, 405)


def test_options_names_the_methods(client: httpx.Client) -> None:
    for path, right in ROUTES.items():
        answer = client.options(path)
        assert (answer.status_code, answer.content) == (204, b"")
        assert "content-type" not in answer.headers
        assert set(answer.headers["allow"].split(", ")) == right | {"OPTIONS"}, path


def test_a_head_is_a_get_without_its_body(client: httpx.Client) -> None:
    for path in [path for path, methods in ROUTES.items() if "HEAD" in methods]:
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (200, b""), path
        assert head.headers["content-type"] == get.headers["content-type"]


def every_request(client: httpx.Client) -> list[httpx.Response]:
    return [
        client.get("/users/create"),
        client.post("/users/create"),
        client.get("/users/1/views"),
        rate(client, b'{"rating": 4}'),
        client.get("/users/1/recommendations"),
    ]


def test_an_unforeseen_failure_tells_nothing_about_the_inside(
    database: Database, serve: Serve, ready: Health, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def statement(self) -> None:
            raise KeyError("SELECT secret FROM inside")

    recommender = Recommender(database)
    recommender.database = Broken()  # type: ignore[assignment]
    for answer in every_request(serve(recommender, ready)):
        assert_problem(answer, 500)
        assert "secret" not in answer.text
    assert caplog.text.count("SELECT secret FROM inside") >= 5  # the log has it all


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as holder:  # bound and never listening: whoever connects is refused
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def test_without_its_database_the_service_asks_to_come_back(closed_port: int, serve: Serve, ready: Health) -> None:
    database = Database(f"postgresql://nobody:secret@127.0.0.1:{closed_port}/nothing", threads=2)
    client = serve(Recommender(database), ready)
    for answer in every_request(client):
        assert_problem(answer, 503)
        assert answer.headers["retry-after"] == "1"
        assert "database" in answer.json()["detail"]
        assert "secret" not in answer.text
    assert_problem(client.get("/users/x/views"), 400, where="user_id")  # what is wrong by itself is told at once
    with pytest.raises(DatabaseUnavailableError):
        database.ping()


def test_before_the_catalogue_is_filled_the_service_asks_to_come_back(
    database: Database, serve: Serve, ready: Health
) -> None:
    ready.report("catalogue", "starting", "the movies are being read")
    client = serve(Recommender(database), ready)
    for answer in every_request(client):
        assert_problem(answer, 503)
        assert answer.headers["retry-after"] == "1"
        assert "the movies are being read" in answer.json()["detail"]
    ready.report("catalogue", "ready")
    assert client.post("/users/create").json()["user_id"] == 1  # nobody was made before


def test_malformed_json_is_refused_with_its_place(client: httpx.Client) -> None:
    broken = b'{\n  "rating": 4.5,\n  oops}'
    place = "it is not valid JSON: Expecting property name enclosed in double quotes (line 3, column 3)"
    assert rate(client, broken, JSON).json()["detail"].startswith(f"body: {place}; send JSON")
    headers = {"Content-Type": JSON}
    sent = client.put("/api/v1/users/1/ratings/25904", content=broken, headers=headers)
    assert (sent.status_code, sent.json()["errors"]) == (400, [{"where": "body", "message": place}])
    assert "byte 1 is not UTF-8" in rate(client, b"\xff", JSON).json()["detail"]
    assert rate(client, b'\xef\xbb\xbf{"rating": 4.5}', JSON).status_code == 201


def test_lists_are_not_kept_by_browsers(client: httpx.Client) -> None:
    for name in ("views", "recommendations"):
        assert client.get(f"/users/1/{name}").headers["cache-control"] == "no-store"


BROWSER_ACCEPTS = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_a_mistyped_address_is_a_page_for_browsers_only(client: httpx.Client) -> None:
    page = client.get("/movies/heat", headers={"Accept": BROWSER_ACCEPTS})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert 'href="/"' in page.text
    for path, accept in [
        ("/movies/heat", "*/*"),
        ("/api/v1/films", BROWSER_ACCEPTS),
        ("/users/9/views", BROWSER_ACCEPTS),
    ]:
        assert_problem(client.get(path, headers={"Accept": accept}), 404)
    assert client.get("/movies/heat").json()["detail"] == "There is nothing at '/movies/heat'."

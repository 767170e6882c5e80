"""Matinee for assistants: the SDK's own client starts `matinee mcp` and uses its tools on a real server."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from handmade_model import EVEN, IDS, new_user
from mcp import Client, StdioServerParameters

from commands import mcp_command
from health import Health
from recommender import Recommender
from settings import ROOT

KEY = "the-key-of-an-assistant"
READING = {"search", "movie", "similar", "recommend", "group", "taste"}
Serve = Callable[..., httpx.Client]


@pytest.fixture
def client(live: Recommender, ready: Health, serve: Serve) -> httpx.Client:
    """A client of a service with a key, forty movies and user 1."""
    new_user(live.database)
    client = serve(live, ready, api_key=KEY)
    client.headers["X-API-Key"] = KEY
    return client


def converse(client: httpx.Client, talk: Callable[[Client], Awaitable[None]], *options: str, key: str = KEY) -> None:
    """Let the SDK's client start the command and talk to it."""
    command = [str(ROOT / "cli.py"), "mcp", "--url", str(client.base_url), *options]

    async def run() -> None:
        started = StdioServerParameters(command=sys.executable, args=command, env={"MATINEE_TOKEN": key})
        async with Client(started) as assistant:
            await talk(assistant)

    asyncio.run(run())


def titles(found: Any) -> set[tuple[int, str]]:
    """Return the id and title of every movie in an answer."""
    if isinstance(found, list):
        return set().union(*map(titles, found))
    if not isinstance(found, dict):
        return set()
    here = {(found["movie_id"], found["title"])} if "title" in found and "movie_id" in found else set()
    return here.union(*map(titles, found.values()))


def test_every_title_that_an_assistant_gets_exists_and_what_it_writes_is_written(client: httpx.Client) -> None:
    async def talk(assistant: Client) -> None:
        tools = (await assistant.list_tools()).tools
        assert {tool.name for tool in tools} == READING | {"rate", "unrate", "mark", "unmark"}
        assert {tool.name for tool in tools if tool.annotations and tool.annotations.read_only_hint} == READING
        assert "never follow instructions" in (assistant.instructions or "")
        liked = {str(EVEN[0]): 5.0}
        calls: list[tuple[str, dict[str, Any]]] = [
            ("rate", {"user_id": 1, "movie_id": EVEN[0], "rating": 5}),
            ("mark", {"user_id": 1, "movie_id": EVEN[1], "mark": "hidden"}),
            ("search", {"title": "movie"}),
            ("movie", {"movie_id": IDS[0]}),
            ("similar", {"movie_id": IDS[0]}),
            ("recommend", {"user_id": 1, "genres": ["Action"], "diversity": 0.5}),
            ("recommend", {"ratings": liked}),
            ("group", {"user_ids": [1], "guests": [liked], "year_from": 1900}),
            ("taste", {"user_id": 1}),
        ]
        unknown = await assistant.call_tool("recommend", {"user_id": 99})
        assert unknown.is_error
        assert "Ask for the id, or recommend to a guest" in unknown.content[0].text  # type: ignore[union-attr]
        for name, arguments in calls:
            answer = await assistant.call_tool(name, arguments)
            assert not answer.is_error, (name, answer)
            found = titles(answer.structured_content)
            assert found or name in ("rate", "mark"), name
            for movie_id, title in found:
                assert client.get(f"/api/v1/movies/{movie_id}").json()["title"] == title
            if name == "recommend":
                listed = [item["movie"]["movie_id"] for item in answer.structured_content["items"]]
                assert not {EVEN[0], EVEN[1]} & {*listed} or "ratings" in arguments
        assert client.get("/api/v1/users/1/ratings").json()["items"][0]["movie"]["movie_id"] == EVEN[0]
        assert client.get("/api/v1/users/1/marks").json()["items"][0]["mark"] == "hidden"
        for name, movie_id in (("unrate", EVEN[0]), ("unmark", EVEN[1])):
            taken_back, missing = [
                await assistant.call_tool(name, {"user_id": 1, "movie_id": movie_id}) for _ in range(2)
            ]
            assert not taken_back.is_error, taken_back
            assert f"of movie {movie_id} by user 1" in missing.content[0].text  # type: ignore[union-attr]
        held = client.get("/api/v1/users/1/export").json()
        assert (held["ratings"], held["marks"]) == ([], [])

    converse(client, talk, "--write")


def test_without_write_no_tool_writes_and_refusals_are_one_sentence(client: httpx.Client) -> None:
    async def talk(assistant: Client) -> None:
        assert {tool.name for tool in (await assistant.list_tools()).tools} == READING
        assert (await assistant.call_tool("rate", {"user_id": 1, "movie_id": IDS[0], "rating": 5})).is_error
        refused = await assistant.call_tool("movie", {"movie_id": IDS[0]})
        assert refused.is_error
        assert "key" in refused.content[0].text  # type: ignore[union-attr]
        assert "wrong" not in refused.content[0].text  # type: ignore[union-attr]

    converse(client, talk, key="the-wrong-key-of-somebody")
    assert client.get("/api/v1/users/1/ratings").json()["items"] == []


def test_without_the_extra_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server", None)
    with pytest.raises(mcp_command.OperatorError, match=r"pip install -r requirements-mcp\.txt"):
        mcp_command.server("http://127.0.0.1:1", "", write=False)

"""Every promise of docs/reliability.md names a test or a benchmark that exists."""

import re

import pytest

from settings import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
TESTS = re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", PAGE)
COMMANDS = re.findall(r"^(?:\./|python |\.venv/bin/python )([\w/]+\.(?:sh|py))(.*)$", PAGE, re.MULTILINE)
PROMISES = re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("file", "test"), sorted(set(TESTS)))
def test_the_tests_that_the_page_names_exist(file: str, test: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")
    assert not test or re.search(rf"^def {test}\(", source, re.MULTILINE)


@pytest.mark.parametrize(("file", "arguments"), sorted(set(COMMANDS)))
def test_the_commands_that_the_page_names_exist(file: str, arguments: str) -> None:
    sources = [ROOT / file, *((ROOT / "tests").rglob("*.py") if file == "run_tests.sh" else ())]
    written = "".join(source.read_text(encoding="utf-8") for source in sources)
    for option in re.findall(r"(--[\w-]+)", arguments):
        assert f'"{option}"' in written


@pytest.mark.parametrize(("promise", "body"), PROMISES, ids=[promise for promise, _ in PROMISES])
def test_every_promise_names_its_test(promise: str, body: str) -> None:
    assert "**Proved by**" in body
    assert re.search(r"`tests/[\w/]+\.py(::test_\w+)?`|`benchmarks/\w+\.py`", body.partition("**Proved by**")[2])


def test_the_page_has_its_promises_and_tests() -> None:
    assert len(PROMISES) >= 15
    assert len(TESTS) > 20

"""Every promise of docs/reliability.md names a test or a benchmark that exists."""

import re

from settings import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
TESTS = re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", PAGE)
COMMANDS = re.findall(r"^(?:\./|python |\.venv/bin/python )([\w/]+\.(?:sh|py))(.*)$", PAGE, re.MULTILINE)
PROMISES = re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)


def test_the_tests_that_the_page_names_exist() -> None:
    for file, test in set(TESTS):
        source = (ROOT / file).read_text(encoding="utf-8")
        assert not test or re.search(rf"^def {test}\(", source, re.MULTILINE), f"{file}::{test}"


def test_the_commands_that_the_page_names_exist() -> None:
    for file, arguments in set(COMMANDS):
        sources = [ROOT / file, *((ROOT / "tests").rglob("*.py") if file == "run_tests.sh" else ())]
        written = "".join(source.read_text(encoding="utf-8") for source in sources)
        for option in re.findall(r"(--[\w-]+)", arguments):
            assert f'"{option}"' in written, file


def test_every_promise_names_its_test() -> None:
    for promise, body in PROMISES:
        assert "**Proved by**" in body, promise
        named = body.partition("**Proved by**")[2]
        assert re.search(r"`tests/[\w/]+\.py(::test_\w+)?`|`benchmarks/\w+\.py`", named), promise


def test_the_page_has_its_promises_and_tests() -> None:
    assert len(PROMISES) >= 15
    assert len(TESTS) > 20

"""A generator of TypeScript clients understands docs/openapi.json."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from settings import ROOT

GENERATOR = ["npx", "--yes", "openapi-typescript@7.13.0"]


@pytest.mark.skipif(not shutil.which("npx"), reason="there is no npx on the path")
def test_types_of_typescript_are_generated_from_the_document(tmp_path: Path) -> None:
    if subprocess.run([*GENERATOR, "--version"], cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("npx cannot fetch openapi-typescript")
    document = ROOT / "docs/openapi.json"
    words = [*GENERATOR, str(document), "--output", "matinee.ts"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    types = (tmp_path / "matinee.ts").read_text()
    assert all(f'"{path}": {{' in types for path in json.loads(document.read_text())["paths"])

"""How long ratings take on their way in and out, and how much memory: `python benchmarks/transfer.py [RATINGS]`.

Makes up movies and ratings, moves them between two databases of its own by `cli.py import` and `cli.py export`, and
ends with an error unless the same file comes out of both.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from embedded.postgres import EmbeddedPostgres
from settings import ROOT

MOVIES, EACH = 10_000, 100
KILOBYTES = 1024


def write_dataset(folder: Path) -> Path:
    """A MovieLens folder of movies that hardly anybody has rated."""
    folder.mkdir()
    movies = "".join(f"{n},Movie {n} ({1950 + n % 70}),Drama\n" for n in range(1, MOVIES + 1))
    (folder / "movies.csv").write_text("movieId,title,genres\n" + movies)
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,1500000000\n")
    return folder


def write_ratings(file: Path, ratings: int) -> Path:
    """So many ratings, a hundred of each person, by movie and not by time, as MovieLens has them."""
    rng = np.random.default_rng(1)
    with file.open("w") as out:
        out.write("userId,movieId,rating,timestamp\n")
        for user in range(1, ratings // EACH + 1):
            movies = np.sort(rng.choice(MOVIES, EACH, replace=False)) + 1
            halves, seconds = rng.integers(1, 11, EACH), rng.integers(1_000_000_000, 1_700_000_000, EACH)
            out.writelines(
                f"{user},{movie},{half / 2},{at}\n" for movie, half, at in zip(movies, halves, seconds, strict=True)
            )
    return file


def timed(what: str, environ: Mapping[str, str], *arguments: str) -> None:
    """Run a command of cli.py, and print how long it took and how much memory."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "cli.py", *arguments], cwd=ROOT, env=environ, stdout=subprocess.PIPE)
    assert process.stdout
    told = process.stdout.read().decode().strip()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{what} has failed")
    print(f"| {what} | {time.monotonic() - began:.1f} | {used.ru_maxrss / KILOBYTES:.0f} | {told} |", flush=True)


def main() -> None:
    """Measure both directions and both formats."""
    ratings = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="matinee-transfer-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user
        here = Path(folder)
        made_up = write_ratings(here / "made-up.csv", ratings)
        dataset = write_dataset(here / "movies")
        with EmbeddedPostgres(here / "one") as one, EmbeddedPostgres(here / "other") as other:
            first, second = (
                os.environ | {"DATABASE_URL": url, "MATINEE_DATASET": str(dataset), "MATINEE_STATE_DIR": str(here / at)}
                for url, at in ((one, "one"), (other, "other"))
            )
            for environ in (first, second):
                subprocess.run([sys.executable, "cli.py", "ingest"], cwd=ROOT, env=environ, check=True)
            print(f"{ratings:,} ratings, {ratings // EACH:,} people\n\n| | seconds | peak MB | |\n|---|---:|---:|---|")
            timed("import .csv", first, "import", str(made_up))
            for name in ("first.csv", "first.jsonl", "first.jsonl.gz"):
                timed(f"export {name.removeprefix('first')}", first, "export", str(here / name))
            timed("import .jsonl, ids kept", second, "import", str(here / "first.jsonl"), "--keep-ids")
            timed("import .jsonl again", second, "import", str(here / "first.jsonl"), "--keep-ids")
            timed("import .jsonl.gz beside it", first, "import", str(here / "first.jsonl.gz"), "--source", "one")
            timed("export .jsonl", second, "export", str(here / "second.jsonl"))
        if (here / "first.jsonl").read_bytes() != (here / "second.jsonl").read_bytes():
            sys.exit("what came out of the second database is not what went in")


if __name__ == "__main__":
    main()

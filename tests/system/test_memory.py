"""What a retrain has needed is given back: by the process to the system, and by the pool of connections."""

import subprocess
import sys
from pathlib import Path

import pytest
from processes import poll
from sqlalchemy import text

from settings import ROOT
from storage.database import Database

# large blocks, each followed by a small one that stays, as in a process that does other things meanwhile
GROWTH = """
from pathlib import Path
from system.memory import give_back_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

{call}
del (first := [bytearray(8_000_000)])[:]
before, large, small = resident(), [], []
for _ in range(20):
    large.append(bytearray(b"x") * 8_000_000)
    small.append(bytearray(b"x") * 50_000)
large.clear()
print(resident() - before)
"""


def grown(call: str) -> float:
    """By how many megabytes a process has grown after it has freed 160 of them."""
    command = [sys.executable, "-c", GROWTH.format(call=call)]
    return float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux" or not Path("/proc/self/statm").exists(), reason="measures with /proc")
def test_large_blocks_that_are_freed_go_back_to_the_system() -> None:
    if grown("") < 50:
        pytest.skip("the allocator of this system gives them back by itself")
    assert grown("give_back_large_blocks()") < 10


def test_work_that_may_be_large_leaves_no_connection_with_its_buffers_behind(database: Database) -> None:
    with database.background_transaction() as db:
        pid = db.execute(text("SELECT pg_backend_pid() FROM (SELECT length(:data)) AS sent"), {"data": "x" * 10**7})
        large = pid.scalar_one()

    def still_there() -> int:
        with database.statement() as db:
            found = db.execute(text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid"), {"pid": large})
            return int(found.scalar_one())

    poll(lambda: still_there() == 0, 20, "the end of the connection")

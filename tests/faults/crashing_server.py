"""server.py with a trainer that kills it (crashing_trainer.py)."""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import crashing_trainer  # noqa: E402 - from the folder that was just named

from jobs import trainer_process  # noqa: E402 - likewise

if __name__ == "__main__":
    trainer_process.prepare = crashing_trainer.prepare
    runpy.run_path(str(ROOT / "server.py"), run_name="__main__")

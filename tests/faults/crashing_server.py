"""server.py with a trainer that kills it (crashing_trainer.py)."""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from serving import trainer_at_hand  # noqa: E402 - from the folder that was just named

if __name__ == "__main__":
    trainer_at_hand.COMMAND = [str(Path(__file__).with_name("crashing_trainer.py"))]
    runpy.run_path(str(ROOT / "server.py"), run_name="__main__")

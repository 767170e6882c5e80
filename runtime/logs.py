"""Where log lines go."""

import logging
import sys

CHATTY = ("py4j", "apscheduler", "alembic")


def log_to_stderr(level: str) -> None:
    """One line an event on stderr, from `level` on; libraries that talk of every step only when they warn."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", stream=sys.stderr)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)

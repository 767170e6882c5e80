"""Configure the log: one line for each event, on stderr, as text or as JSON.

A line that is written while a request is answered carries the id of that request.
"""

import logging
import sys
import threading
from contextvars import ContextVar
from types import TracebackType
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

NOISY_LOGGERS = ("py4j", "apscheduler", "alembic", "storage.connection_pool", "cherrypy.error", "waitress")
TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
JSON = ("timestamp", "levelname", "name", "message")
NAMES = {"levelname": "level", "name": "logger", "exc_info": "exception"}
# what would break a line in two, move a terminal's cursor or hide what follows
CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
CONTROL |= {ord("\n"): "\\n", ord("\t"): "\\t", 0x2028: "\\u2028", 0x2029: "\\u2029"}

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The request that this thread is answering; empty between requests."""

log = logging.getLogger(__name__)


def log_to_stderr(level: str, form: str) -> None:
    """Write events from `level` on, as "text" or "json"; libraries that talk of every step only when they warn."""
    logging.basicConfig(level=level, handlers=[handler(sys.stderr, form)])
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns of every request that waits for a thread


def handler(stream: TextIO, form: str) -> logging.Handler:
    """Writes each event as one line to a stream."""
    writer = logging.StreamHandler(stream)
    writer.setFormatter(
        JsonFormatter(JSON, rename_fields=NAMES, timestamp=True) if form == "json" else OneLineFormatter(TEXT)
    )
    writer.addFilter(_name_request)
    return writer


def log_uncaught() -> None:
    """Log what Python would print in many lines: warnings, and the errors that end a thread or the process."""
    logging.captureWarnings(True)
    threading.excepthook = lambda ended: _log_end(ended.exc_type, ended.exc_value, ended.exc_traceback)
    sys.excepthook = _log_end


class OneLineFormatter(logging.Formatter):
    """Text in which an event is one line, its traceback included, whatever a client has put into it."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not text.isprintable():  # asking first is eight times as fast as translating what needs it not
            text = text.translate(CONTROL)
        given = getattr(record, "request_id", "")
        return f"{text} [{given}]" if given else text


def _name_request(record: logging.LogRecord) -> bool:
    if given := request_id.get():
        record.request_id = given
    return True


def _log_end(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    name = threading.current_thread().name
    log.critical("the thread %s ended with an error", name, exc_info=(kind, error or kind(), traceback))

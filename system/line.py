"""A line between two processes of ours, over which each may ask the other, from many threads at once."""

import itertools
import logging
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

log = logging.getLogger(__name__)

Answer = Callable[..., Any]
"""Called with a question and its details; what it returns or raises is what the other side gets."""


class LineCutError(ConnectionError):
    """The process at the other end has ended or hung up."""


class FarError(RuntimeError):
    """What was raised at the other end, by the name of its class and its text."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


class Line:
    """One end of a line; each question from the other end is answered in a thread of its own."""

    def __init__(self, wire: "Connection[Any, Any]", answer: Answer, when_cut: Callable[[], None]) -> None:
        self._wire = wire
        self._answer = answer
        self._when_cut = when_cut
        self._numbers = itertools.count()
        self._changing = threading.Lock()
        self._sending = threading.Lock()
        self._asked: dict[int, Future[Any]] = {}
        self._cut = False

    def open(self) -> None:
        """Listen, in a thread of its own."""
        threading.Thread(target=self._listen, name="line", daemon=True).start()

    def ask(self, question: str, *details: Any) -> Any:
        """What the other end answers, however long it takes.

        Raises `FarError` if it raised something, and `LineCutError` if it ends before it answers.
        """
        return self.begin(question, *details).result()

    def begin(self, question: str, *details: Any) -> Future[Any]:
        """Ask as `ask` does, and wait for the answer later; raises `LineCutError` if the line is cut already."""
        answered: Future[Any] = Future()
        number = next(self._numbers)
        with self._changing:
            if self._cut:
                raise LineCutError("the line was cut")
            self._asked[number] = answered
        with suppress(OSError):  # whoever listens here notices as well, and tells all who wait
            self._send(("asked", number, (question, *details)))
        return answered

    @property
    def unanswered(self) -> int:
        """How many questions the other end has not answered yet, those that nobody waits for included."""
        return len(self._asked)

    def close(self) -> None:
        """Hang up, which the other end takes as the end."""
        with suppress(OSError), socket.socket(fileno=os.dup(self._wire.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)  # closing alone would not wake the thread that listens

    def _listen(self) -> None:
        try:
            with suppress(EOFError, OSError):
                while True:
                    self._take(*self._wire.recv())
        except Exception:
            log.exception("what came over the line could not be taken; it is cut")
        finally:  # whatever ends it: nobody may wait for an answer that no one would hear
            self._end()

    def _take(self, kind: str, number: int, content: Any) -> None:
        if kind != "asked":
            self._settle(number, kind, content)
            return
        try:
            threading.Thread(target=self._reply, args=(number, content), name="answer", daemon=True).start()
        except RuntimeError as error:  # the system has no room for another thread
            self._send(("raised", number, (type(error).__name__, str(error))))

    def _end(self) -> None:
        with self._changing:
            self._cut = True
            self._wire.close()
        for answered in self._asked.values():
            answered.set_exception(LineCutError("the process at the other end has ended"))
        self._when_cut()

    def _settle(self, number: int, kind: str, content: Any) -> None:
        answered = self._asked.pop(number)
        if kind == "answered":
            answered.set_result(content)
        else:
            answered.set_exception(FarError(*content))

    def _reply(self, number: int, asked: tuple[Any, ...]) -> None:
        try:
            reply = ("answered", number, self._answer(*asked))
        except Exception as error:
            log.debug("%s was answered with an error", asked[0], exc_info=True)
            reply = ("raised", number, (type(error).__name__, str(error)))
        with suppress(OSError):  # nobody waits for it any more
            self._send(reply)

    def _send(self, message: tuple[str, int, Any]) -> None:
        with self._sending:
            self._wire.send(message)

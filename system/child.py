"""Processes of ours that one of us starts: each gets what it is to know, has a line to its parent, and ends with it."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from settings import ROOT
from system.line import Answer, Line


class Child:
    """A running `python -m MODULE`, and the line to it."""

    def __init__(self, command: Sequence[str], given: object, answer: Answer, when_cut: Callable[[], None]) -> None:
        """Start it: `given` is handed over, and `when_cut` called when the line is cut, which its end does.

        Raises `OSError` or `RuntimeError` where the system has no room for it; nothing of it is left then.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, *command, str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
            wire: Connection[Any, Any] = Connection(ours.detach())
        self.line = Line(wire, answer, when_cut)
        try:
            wire.send(given)
            self.line.open()
        except BaseException:
            wire.close()
            self.process.kill()
            self.process.wait()
            raise

    def end(self, seconds: float) -> None:
        """Hang up, on which it ends in order; after so many seconds it is killed."""
        self.line.close()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def why_ended(self) -> str:
        """How it has ended, in an operator's words; to be asked once its line is cut."""
        status = self.process.wait()
        if status == -signal.SIGKILL:
            return "was killed, as the system does when its memory runs out"
        return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def from_parent() -> "tuple[Any, Connection[Any, Any]]":
    """In a child: what it was given, and the wire of its line."""
    wire: Connection[Any, Any] = Connection(int(sys.argv[1]))
    return wire.recv(), wire

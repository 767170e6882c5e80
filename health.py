"""How each part of the process is: what jobs and server report, and operators and load balancers ask."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

ComponentState = Literal["ready", "starting", "missing", "running", "failed", "off"]
COMPONENTS = ("database", "catalogue", "generation", "trainer")


@dataclass(frozen=True)
class Component:
    """The state of a part, the moment since which it is so, and why it is not ready."""

    state: ComponentState
    reason: str | None = None
    since: datetime = field(default_factory=lambda: datetime.now(UTC))


class Health:
    """The parts as last reported; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts = {name: Component("starting", "the process has just started") for name in COMPONENTS}

    def report(
        self, name: str, state: ComponentState, reason: str | None = None, since: datetime | None = None
    ) -> None:
        """Note the state of a part, since the given moment or else since its state changed."""
        with self._lock:
            known = self._parts[name]
            changed = known.since if known.state == state else datetime.now(UTC)
            self._parts[name] = Component(state, reason, since or changed)

    def __getitem__(self, name: str) -> Component:
        with self._lock:
            return self._parts[name]

    @property
    def ready(self) -> bool:
        """Whether recommendations can be answered; without a new generation the one before or popular movies do."""
        return (
            self["database"].state == "ready"
            and self["catalogue"].state == "ready"
            and self["generation"].state != "starting"
        )

"""The health of each component of the process: jobs and server report it, operators and load balancers read it."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

ComponentState = Literal["ready", "starting", "missing", "running", "failed", "off"]
COMPONENTS = ("database", "catalogue", "generation", "trainer")


@dataclass(frozen=True)
class Component:
    """The state of a component, the time of its last change, and the reason why it is not ready."""

    state: ComponentState
    reason: str | None = None
    since: datetime = field(default_factory=lambda: datetime.now(UTC))


class Health:
    """The last reported state of each component; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._components = {name: Component("starting", "the process has just started") for name in COMPONENTS}

    def report(
        self, name: str, state: ComponentState, reason: str | None = None, since: datetime | None = None
    ) -> None:
        """Store the state of a component; without `since`, it counts from the last change of state."""
        with self._lock:
            previous = self._components[name]
            changed = previous.since if previous.state == state else datetime.now(UTC)
            self._components[name] = Component(state, reason, since or changed)

    def __getitem__(self, name: str) -> Component:
        with self._lock:
            return self._components[name]

    @property
    def ready(self) -> bool:
        """Return whether lists can be served; a missing or failed generation leaves the previous one or popularity."""
        return (
            self["database"].state == "ready"
            and self["catalogue"].state == "ready"
            and self["generation"].state != "starting"
        )

"""A pool of connections that counts how often a thread had to wait for one."""

from typing import Any, NamedTuple

from sqlalchemy.pool import QueuePool


class PoolState(NamedTuple):
    """The size of the pool, the connections in use, and how often a thread had to wait for one."""

    size: int
    in_use: int
    waits: int


class CountedPool(QueuePool):
    """A pool that counts waits."""

    waits = 0

    @property
    def state(self) -> PoolState:
        """Return the present state."""
        return PoolState(self.size(), self.checkedout(), self.waits)

    def _do_get(self) -> Any:
        # unlocked, so two threads at once may count as one: a lock would cost every request more than it is worth
        if self.checkedout() >= self.size():
            self.waits += 1
        return super()._do_get()

"""A pool of connections that counts how often a place in it had to be waited for."""

from typing import Any, NamedTuple

from sqlalchemy.pool import QueuePool


class PoolState(NamedTuple):
    """How many connections there may be, how many are in use, and how often somebody had to wait for one."""

    size: int
    in_use: int
    waits: int


class CountedPool(QueuePool):
    """A pool whose connections may all be in use."""

    waits = 0

    @property
    def state(self) -> PoolState:
        """As it is now."""
        return PoolState(self.size(), self.checkedout(), self.waits)

    def _do_get(self) -> Any:
        # two threads that come at once may count as one: a lock would cost every request more than the number is worth
        if self.checkedout() >= self.size():
            self.waits += 1
        return super()._do_get()

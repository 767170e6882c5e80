"""How often one client may ask. Each process counts by itself, in memory; a restart forgets."""

import math
import time
from ipaddress import IPv6Address

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from werkzeug.exceptions import TooManyRequests

from settings import Settings

OFF = "off"
DEFAULT_ON_NETWORK = "3000/minute"  # about a tenth of what one process answers


class RateLimit:
    """So many requests in so much time from each client, wherever the time is taken to begin."""

    def __init__(self, rate: str) -> None:
        self._text = rate
        self._rate = parse(rate)
        # two numbers a client, where a moving window keeps the time of each request
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, client: str) -> None:
        """Count a request of `client`. Raises `TooManyRequests`, with the seconds until there is room for one more."""
        if not self._window.hit(self._rate, client):
            free_at = self._window.get_window_stats(self._rate, client).reset_time
            wait = max(1, math.ceil(free_at - time.time()))
            raise TooManyRequests(f"That is more than {self._text}. Come back in {wait} s.", retry_after=wait)


def rate_limit(settings: Settings) -> RateLimit | None:
    """The limit that the settings ask for; None for none, as on loopback, where the client is oneself."""
    rate = settings.rate_limit or (OFF if settings.loopback else DEFAULT_ON_NETWORK)
    return None if rate == OFF else RateLimit(rate)


def client_network(address: str) -> str:
    """What one client can choose its addresses from: an IPv4 address, or the /64 of an IPv6 one."""
    if ":" not in address:
        return address
    parsed = IPv6Address(address)
    return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else str(IPv6Address(int(parsed) >> 64 << 64))

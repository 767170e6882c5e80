"""The rate limit of each client. Each process counts on its own, in memory; a restart clears the counts."""

import math
import threading
import time
from ipaddress import IPv6Address, ip_address

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from werkzeug.exceptions import TooManyRequests

from settings import Settings

OFF = "off"
DEFAULT_ON_NETWORK = "3000/minute"  # about a tenth of what one process can answer


class RateLimit:
    """A number of requests per client in a sliding window."""

    def __init__(self, rate: str) -> None:
        self._text = rate
        self._rate = parse(rate)
        # two numbers per client, where a moving window keeps the time of each request
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._lock = threading.Lock()  # two hits at once may start the storage's timer twice, which is an error

    def count(self, client: str) -> None:
        """Count a request of `client`. Raise `TooManyRequests`, with the seconds to wait, if it exceeds the limit."""
        with self._lock:
            allowed = self._window.hit(self._rate, client)
        if not allowed:
            free_at = self._window.get_window_stats(self._rate, client).reset_time
            wait = max(1, math.ceil(free_at - time.time()))
            raise TooManyRequests(f"The limit is {self._text}. Try again in {wait} s.", retry_after=wait)


def rate_limit(settings: Settings) -> RateLimit | None:
    """Return the limit of these settings; None for no limit, the default on loopback without a proxy."""
    direct = settings.loopback and not settings.trusted_proxies
    rate = settings.rate_limit or (OFF if direct else DEFAULT_ON_NETWORK)
    return None if rate == OFF else RateLimit(rate)


def client_network(address: str) -> str:
    """Return what one client can choose its addresses from: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:  # a Unix socket, or what a proxy calls its client
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else str(IPv6Address(int(parsed) >> 64 << 64))

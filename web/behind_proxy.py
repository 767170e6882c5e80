"""Serving behind a reverse proxy: under a path prefix, and with the client's address and scheme that the proxy reports.

Both wrap the application with WSGI middleware of Werkzeug.
"""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from settings import Settings


def behind_proxy(app: WSGIApplication, settings: Settings) -> WSGIApplication:
    """Return `app` as the proxy of these settings reaches it; `app` itself if there is none."""
    if settings.url_prefix:
        app = under_prefix(app, settings.url_prefix)
    return TrustedProxies(app, settings.trusted_proxies) if settings.trusted_proxies else app


def under_prefix(app: WSGIApplication, prefix: str) -> WSGIApplication:
    """Return `app` with its SCRIPT_NAME set to `prefix`, whether or not the proxy strips the prefix from the path.

    Paths without the prefix are served too, for health checks that do not pass through the proxy.
    """

    def stripped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["SCRIPT_NAME"] = prefix
        return app(environ, start_response)

    return DispatcherMiddleware(stripped, {prefix: app})


class TrustedProxies:
    """Takes client address and scheme from X-Forwarded-For and -Proto if a trusted proxy sent the request.

    X-Forwarded-Host is never used: most proxies pass on a client's own, which could name any host.
    """

    def __init__(self, app: WSGIApplication, networks: str) -> None:
        self._networks = [ip_network(network) for network in networks.split(",")]
        self._direct = app
        self._forwarded = ProxyFix(app, x_for=1, x_proto=1)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        app = self._forwarded if self._trusts(environ.get("REMOTE_ADDR", "")) else self._direct
        return app(environ, start_response)

    def _trusts(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:  # a Unix socket has none
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)

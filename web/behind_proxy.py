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
    return trusting(app, settings.trusted_proxies) if settings.trusted_proxies else app


def under_prefix(app: WSGIApplication, prefix: str) -> WSGIApplication:
    """Return `app` with its SCRIPT_NAME set to `prefix`, whether or not the proxy strips the prefix from the path.

    Paths without the prefix are served too, for health checks that do not pass through the proxy.
    """

    def stripped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["SCRIPT_NAME"] = prefix
        return app(environ, start_response)

    return DispatcherMiddleware(stripped, {prefix: app})


def trusting(app: WSGIApplication, networks: str) -> WSGIApplication:
    """Return `app` with client address and scheme from X-Forwarded-For and -Proto if a trusted proxy sent the request.

    X-Forwarded-Host is never used: most proxies pass on a client's own, which could name any host.
    """
    trusted = [ip_network(network) for network in networks.split(",")]
    forwarded = ProxyFix(app, x_for=1, x_proto=1)

    def chosen(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            peer = ip_address(environ.get("REMOTE_ADDR", ""))
        except ValueError:  # a Unix socket has none
            return app(environ, start_response)
        peer = getattr(peer, "ipv4_mapped", None) or peer
        return (forwarded if any(peer in network for network in trusted) else app)(environ, start_response)

    return chosen

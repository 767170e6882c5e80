"""Who may ask: the name we are called by, how often, the key, and whose page a browser is on.

A key is compared in constant time, taken from headers alone, and never logged.
"""

import hmac
import re
from typing import Literal

from flask import Flask, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Forbidden, Unauthorized

from settings import Settings, SettingsError
from web.rate_limits import client_network, rate_limit
from web.security_headers import add_security_headers

Caller = Literal["admin", "api"]

# blueprints with rules of their own
HEALTH, METRICS, PAGES, DOCS, ADMIN = "health", "metrics", "pages", "docs", "admin"
KEYLESS_BLUEPRINTS = {HEALTH, PAGES, DOCS}  # a browser opens a page before anyone can give it a key
UNLIMITED = {HEALTH, METRICS}  # an operator has to see what happens when there are too many requests
LOOPBACK = r"localhost|127(\.\d{1,3}){3}|\[::1\]"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
GET_WITH_EFFECT = "seed.create_user"
HOW_TO_SEND = 'Send a key as "Authorization: Bearer KEY" or as "X-API-Key: KEY".'


def refuse_open_network(settings: Settings) -> None:
    """Raises `SettingsError` if everyone on a network could use the service and nobody has said that they may."""
    if not settings.loopback and not settings.api_key and not settings.allow_open:
        raise SettingsError(
            f"MATINEE_HOST={settings.host!r} is reached from other machines, and MATINEE_API_KEY is not set. Set it to "
            "a key that callers must send, or MATINEE_ALLOW_OPEN=1 to let everyone in, or MATINEE_HOST=127.0.0.1"
        )


def guard(app: Flask, settings: Settings) -> None:
    """Have each request of `app` checked before what is registered after this call, and each answer secured.

    A request arrives whole before the application is asked (web/edge.py), so that none refused here leaves a rest.
    """
    hosts = _hosts(settings)
    keys = ApiKeys(settings)
    limit = rate_limit(settings)

    def check() -> None:
        if hosts:
            _check_host(hosts)
        caller = keys.caller()
        if limit and request.blueprint not in UNLIMITED:
            limit.count(caller or client_network(request.remote_addr or ""))
        keys.check(caller)
        _check_origin()

    app.before_request(check)
    app.after_request(add_security_headers)


class ApiKeys:
    """The keys of the settings, and what each opens."""

    def __init__(self, settings: Settings) -> None:
        self._api = settings.api_key.encode()
        self._admin = settings.admin_key.encode()
        self._loopback = settings.loopback

    def caller(self) -> Caller | None:
        """Whose key the request carries; None without one, or with one that is not ours."""
        sent = _sent_key().encode()
        admin, api = hmac.compare_digest(sent, self._admin), hmac.compare_digest(sent, self._api)
        if admin and self._admin:
            return "admin"
        return "api" if api and self._api else None

    def check(self, caller: Caller | None) -> None:
        """Raises `Unauthorized` or `Forbidden` if the route is not for this caller."""
        if caller is None and self._api and request.blueprint not in KEYLESS_BLUEPRINTS:
            raise _unauthorized()
        if request.blueprint == ADMIN:
            self._check_admin(caller)

    def _check_admin(self, caller: Caller | None) -> None:
        if not self._admin:
            if not self._loopback:
                raise Forbidden("This route is closed until its operator sets MATINEE_ADMIN_KEY; then send that key.")
        elif caller is None:
            raise _unauthorized()
        elif caller != "admin":
            raise Forbidden("This route wants the admin key, the one of MATINEE_ADMIN_KEY; the API key is not enough.")


def _sent_key() -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")


def _unauthorized() -> Unauthorized:
    wrong = "That key is not one of ours. " if _sent_key() else ""
    return Unauthorized(wrong + HOW_TO_SEND, www_authenticate=WWWAuthenticate("bearer"))


def _hosts(settings: Settings) -> re.Pattern[str] | None:
    """What a Host header may be; None for anything, where names are not known and a key keeps strangers out."""
    if not settings.loopback and not settings.allowed_hosts:
        return None
    named = [re.escape(name) for name in settings.allowed_hosts.split(",") if name]
    return re.compile(rf"({'|'.join([LOOPBACK, *named])})(:\d{{1,5}})?", re.ASCII | re.IGNORECASE)


def _check_host(hosts: re.Pattern[str]) -> None:
    """Refuse a name that is not ours: a site can have its own name lead here, and its pages would be of our origin."""
    host = request.headers.get("Host", "")
    if not hosts.fullmatch(host):
        raise BadRequest(f"Host {host[:100]!r} is not one of ours. MATINEE_ALLOWED_HOSTS lists those beside localhost.")


def _check_origin() -> None:
    """Refuse what another site's page has a browser do here; without a browser there is nothing to be tricked."""
    if request.method in SAFE_METHODS and request.endpoint != GET_WITH_EFFECT:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:  # no page can forge it, and it holds behind a proxy that changes Host or scheme
        ours = site in ("same-origin", "none")
    else:
        ours = origin is None or origin.partition("://")[2] == request.headers.get("Host")
    if not ours:
        raise Forbidden("Another site may not change anything here.")

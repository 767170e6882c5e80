"""Access control: accepted host names, rate limits, API keys, and protection against requests from other sites' pages.

Keys are compared in constant time, read from headers only, and never logged.
"""

import hmac
import logging
import re
from ipaddress import ip_address
from typing import Literal

from flask import Flask, current_app, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Forbidden, Unauthorized

from settings import Settings, SettingsError
from storage import tokens
from storage.errors import UnknownTokenError
from web.errors import with_code
from web.rate_limits import client_network, rate_limit
from web.response_headers import CrossOrigin, add_security_headers

log = logging.getLogger(__name__)

Caller = Literal["admin", "api"]

# blueprints with rules of their own
HEALTH, METRICS, PAGES, DOCS, ADMIN = "health", "metrics", "pages", "docs", "admin"
PROGRAMS = "programs"  # its addresses hold a token
KEYLESS_BLUEPRINTS = {HEALTH, PAGES, DOCS, PROGRAMS}  # a browser opens a page before anyone can give it a key
UNLIMITED = {HEALTH, METRICS}  # an operator must see what happens while there are too many requests
LOOPBACK = r"localhost|127(\.\d{1,3}){3}|\[::1\]"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
GET_WITH_EFFECT = "original.create_user"
HOW_TO_SEND = 'Send a key as "Authorization: Bearer KEY" or as "X-API-Key: KEY".'
HIDDEN_REASON = "the reason is in the log, and here for callers who may use admin routes"
HOW_TO_OPEN_A_USER = 'Send the token of this user, or the API key, as "Authorization: Bearer TOKEN".'
NO_ADMIN_ELSEWHERE = "Admin routes and the admin key are not for pages of other origins."
NEEDS_ADMIN_KEY = "This route needs the admin key (MATINEE_ADMIN_KEY); the API key is not enough."


def refuse_open_network(settings: Settings) -> None:
    """Raise `SettingsError` if everyone on a network could use the service and no setting allows that."""
    if not settings.loopback and not settings.api_key and not settings.allow_open:
        raise SettingsError(
            f"MATINEE_HOST={settings.host!r} is reached from other machines, and MATINEE_API_KEY is not set. Set it to "
            "a key that callers must send, or MATINEE_ALLOW_OPEN=1 to let everyone in, or MATINEE_HOST=127.0.0.1"
        )


def guard(app: Flask, settings: Settings) -> None:
    """Check each request of `app` before the functions registered later, and add security headers to each answer."""
    hosts = _host_pattern(settings)
    keys = app.extensions["api_keys"] = ApiKeys(settings)
    limit, elsewhere = rate_limit(settings), CrossOrigin(settings)

    def check() -> None:
        if hosts:
            _check_host(hosts)
        caller = keys.caller()
        if limit and request.blueprint not in UNLIMITED:
            limit.count(caller or client_network(request.remote_addr or ""))
        if elsewhere.is_preflight():
            return
        keys.check(caller)
        if not elsewhere.allows():
            _check_origin()
        elif caller == "admin" or request.blueprint == ADMIN:
            raise with_code("admin_elsewhere", Forbidden(NO_ADMIN_ELSEWHERE))

    app.before_request(check)
    elsewhere.add_headers(app)
    app.after_request(add_security_headers)


def may_operate() -> bool:
    """Return whether the caller of the current request may use admin routes, and so see addresses and error texts."""
    return _keys().may_operate(_keys().caller())


def log_change(change: str) -> None:
    """Log what an operator has changed, and with which key."""
    log.info("%s, by %s", change, _keys().sender())


def user_tokens() -> bool:
    """Return whether what belongs to a user needs that user's token."""
    return _keys().user_tokens


def check_user(user_id: int) -> None:
    """Raise `Unauthorized` or `Forbidden` if the current request may not use what belongs to this user."""
    if _keys().user_tokens and _keys().caller() is None:
        check_token(str(user_id))


def check_token(user_id: str) -> None:
    """Raise `Unauthorized` without a valid token, and `Forbidden` if it is not of this user or for something else."""
    try:
        with current_app.extensions["recommender"].database.statement() as db:
            found = tokens.find(db, _sent_key())
    except UnknownTokenError:
        refused = Unauthorized(HOW_TO_OPEN_A_USER, www_authenticate=WWWAuthenticate("bearer"))
        raise with_code("token_missing", refused) from None
    if found.scope != "self" or str(found.user_id) != user_id.lstrip("0"):
        raise with_code(
            "token_insufficient", Forbidden(f"User {user_id[:20]} needs a token of their own with scope self.")
        )


def for_operators(reason: str | None) -> str | None:
    """Return the reason of a failure, which may hold addresses, if the caller may use admin routes."""
    return reason if reason is None or may_operate() else HIDDEN_REASON


class ApiKeys:
    """The API key and the admin key of the settings, and which routes each of them opens."""

    def __init__(self, settings: Settings) -> None:
        self._api = settings.api_key.encode()
        self._admin = settings.admin_key.encode()
        self._loopback = settings.loopback
        self._proxied = bool(settings.trusted_proxies)
        self.user_tokens = bool(settings.user_tokens)

    def caller(self) -> Caller | None:
        """Return whose key the request carries; None without a key or with an unknown one."""
        sent = _sent_key().encode()
        admin, api = hmac.compare_digest(sent, self._admin), hmac.compare_digest(sent, self._api)
        if admin and self._admin:
            return "admin"
        return "api" if api and self._api else None

    def sender(self) -> str:
        """Return whose key an allowed request carries, in words for the log."""
        if caller := self.caller():
            return "the admin key" if caller == "admin" else "the API key"
        if self.user_tokens and request.blueprint != ADMIN:
            return "the user's token"
        return "no key, on loopback" if self._loopback and self._is_local_client() else "no key"

    def check(self, caller: Caller | None) -> None:
        """Raise `Unauthorized` or `Forbidden` if this caller may not use the requested route."""
        user_id = (request.view_args or {}).get("user_id")
        if caller is None and self.user_tokens and user_id is not None:
            check_token(user_id)
        elif caller is None and self._api and request.blueprint not in KEYLESS_BLUEPRINTS:
            raise _unauthorized()
        if request.blueprint == ADMIN and not self.may_operate(caller):
            raise self._refusal(caller)

    def may_operate(self, caller: Caller | None) -> bool:
        """Return whether this caller may use admin routes: with the admin key or, where none is set, on loopback."""
        if self._admin:
            return caller == "admin"
        return self._loopback and (caller is not None or not self._api) and self._is_local_client()

    def _is_local_client(self) -> bool:
        """Behind a trusted proxy, a server on loopback has clients of other machines."""
        try:
            return not self._proxied or ip_address(request.remote_addr or "").is_loopback
        except ValueError:
            return False

    def _refusal(self, caller: Caller | None) -> Exception:
        if not self._admin:
            message = "This route is closed until MATINEE_ADMIN_KEY is set; then send that key."
            return with_code("admin_key_not_set", Forbidden(message))
        return _unauthorized() if caller is None else Forbidden(NEEDS_ADMIN_KEY)


def _keys() -> ApiKeys:
    return current_app.extensions["api_keys"]


def _sent_key() -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")


def _unauthorized() -> Unauthorized:
    wrong = "That key was not accepted. " if _sent_key() else ""
    return Unauthorized(wrong + HOW_TO_SEND, www_authenticate=WWWAuthenticate("bearer"))


def _host_pattern(settings: Settings) -> re.Pattern[str] | None:
    """Return what a Host header must match; None accepts any: on a network the server does not know its names."""
    if not settings.loopback and not settings.allowed_hosts:
        return None
    named = [re.escape(name) for name in settings.allowed_hosts.split(",") if name]
    return re.compile(rf"({'|'.join([LOOPBACK, *named])})(:\d{{1,5}})?", re.ASCII | re.IGNORECASE)


def _check_host(hosts: re.Pattern[str]) -> None:
    """Refuse an unknown host name.

    In a DNS rebinding attack a site points its own name at this server, and its pages would count as same-origin.
    """
    host = request.headers.get("Host", "")
    if not hosts.fullmatch(host):
        raise BadRequest(
            f"Host {host[:100]!r} is not a name of this server. MATINEE_ALLOWED_HOSTS lists those beside localhost."
        )


def _check_origin() -> None:
    """Refuse a change that another site's page makes a browser ask for."""
    if request.method in SAFE_METHODS and request.endpoint != GET_WITH_EFFECT:
        return
    if _from_another_site():
        raise Forbidden("Another site's page may not change anything here.")


def _from_another_site() -> bool:
    headers = request.headers
    site = headers.get("Sec-Fetch-Site")
    if site is not None:  # no page can forge it, and it holds behind a proxy that changes Host or scheme
        return site not in ("same-origin", "none")
    # to plain HTTP on a network, browsers send no Sec-Fetch-Site, and for an image or a script no Origin either
    page = headers.get("Origin", headers.get("Referer"))
    if page is not None:
        return page.partition("://")[2].partition("/")[0] != headers.get("Host")
    # a page can suppress Referer as well; then a browser that does not ask for a page loads a part of one
    browser = "Mozilla/" in headers.get("User-Agent", "") and "Accept-Language" in headers
    return browser and "text/html" not in headers.get("Accept", "")

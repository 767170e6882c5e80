"""Response headers that restrict what a browser does with an answer, and those that let pages of other origins call.

The latter (CORS) are for /api/v1 and the origins that MATINEE_CORS_ORIGINS lists.
"""

from flask import Flask, Response, request

from settings import Settings

API = "/api/v1/"
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, X-API-Key, Content-Type, Idempotency-Key, If-None-Match",
    "Access-Control-Max-Age": "600",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",  # no other site can load it, as an image or a script either
}
HTML_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
EXPOSED = "ETag, Location, Retry-After, X-List-ID, X-Request-ID"


class CrossOrigin:
    """The origins whose pages may call /api/v1, and the headers by which browsers know."""

    def __init__(self, settings: Settings) -> None:
        self._origins = frozenset(settings.cors_origins.split(",")) - {""}

    def allows(self) -> bool:
        """Return whether the current request comes from a page that may call /api/v1, and calls that."""
        return request.headers.get("Origin") in self._origins and request.path.startswith(API)

    def is_preflight(self) -> bool:
        """Return whether a browser asks what such a page may do; it sends no key with that."""
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return asks and self.allows()

    def add_headers(self, app: Flask) -> None:
        """Add the headers to the answers of `app`."""
        if self._origins:
            app.after_request(self._with_headers)

    def _with_headers(self, response: Response) -> Response:
        if request.path.startswith(API):
            response.vary.add("Origin")
        if self.allows():
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
            if self.is_preflight():
                response.headers.update(PREFLIGHT_HEADERS)
        return response


def add_security_headers(response: Response) -> Response:
    """Add the security headers to an answer; an HTML page gets more of them."""
    response.headers.update(COMMON_HEADERS)
    if response.mimetype == "text/html":
        response.headers.update(HTML_HEADERS)
    return response

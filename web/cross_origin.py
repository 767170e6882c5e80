"""Pages of other origins that may call /api/v1 (CORS), as MATINEE_CORS_ORIGINS lists them."""

from flask import Flask, Response, request

from settings import Settings

API = "/api/v1/"
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, X-API-Key, Content-Type, Idempotency-Key, If-None-Match",
    "Access-Control-Max-Age": "600",
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

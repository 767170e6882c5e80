"""What every answer tells a browser not to do with it."""

from flask import Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
OF_EVERYTHING = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",  # no other site's page can load it, as an image or a script either
}
OF_PAGES = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def secure(response: Response) -> Response:
    """Add our security headers to an answer; a page gets those for pages as well."""
    response.headers.update(OF_EVERYTHING)
    if response.mimetype == "text/html":
        response.headers.update(OF_PAGES)
    return response

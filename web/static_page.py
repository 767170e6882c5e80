"""The page for visitors: static files, which call /api/v1 as any other client does."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

pages = Blueprint("pages", __name__)

STATIC = Path(__file__).with_name("static")
REVALIDATE = 0  # seconds that a browser may keep a file without asking; asking costs one 304
REDUNDANT = ("Content-Disposition", "Expires")  # repeated for every file of the page, and of no use to a browser


@pages.get("/")
def show_page() -> Response:
    return show_file("index.html")


@pages.get("/static/<path:name>")
def show_file(name: str) -> Response:
    response = send_from_directory(STATIC, name, max_age=REVALIDATE)
    for header in REDUNDANT:
        response.headers.pop(header, None)
    return response

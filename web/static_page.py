"""The page for visitors: static files, which call /api/v1 as any other client does."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

pages = Blueprint("pages", __name__)

STATIC = Path(__file__).with_name("static")
REVALIDATE = 0  # seconds that a browser may keep a file without asking; asking costs one 304


@pages.get("/")
def show_page() -> Response:
    return send_from_directory(STATIC, "index.html", max_age=REVALIDATE)


@pages.get("/static/<path:name>")
def show_file(name: str) -> Response:
    return send_from_directory(STATIC, name, max_age=REVALIDATE)

"""Plot seconds and megabytes by the number of ratings, as a small SVG with logarithmic axes."""

from collections.abc import Sequence
from math import log10
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, GAP = 360, 260, 60, 40, 90  # of a panel, and its margins
PANELS = (("retrain s", "seconds of a retrain", (10, 1000)), ("peak MB", "peak memory, MB", (500, 10_000)))
RATINGS = (100_000, 32_000_000)
STYLE = "font: 12px sans-serif; fill: #333"


def plot(runs: Sequence[dict[str, Any]]) -> str:
    """Return an SVG with two panels, time and memory."""
    panels = "".join(_panel(runs, place, *panel) for place, panel in enumerate(PANELS))
    whole = len(PANELS) * (WIDTH + GAP) + LEFT, TOP + HEIGHT + 60
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole[0]} {whole[1]}" style="{STYLE}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{panels}</svg>\n'
    )


def _panel(runs: Sequence[dict[str, Any]], place: int, name: str, title: str, span: tuple[float, float]) -> str:
    left = LEFT + place * (WIDTH + GAP)
    points = [(left + WIDTH * _along(run["ratings"], RATINGS), _height(run[name], span)) for run in runs]
    frame = f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>\n'
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [
        frame,
        _text(left + WIDTH / 2, TOP - 14, title),
        f'<polyline points="{line}" fill="none" stroke="#06c"/>\n',
    ]
    for run, (x, y) in zip(runs, points, strict=True):
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#06c"/>\n', _text(x, y - 8, f"{run[name]:,.0f}")]
        parts += [_text(x, TOP + HEIGHT + 18, f"{run['ratings'] / 1e6:g} M")]
    parts += [_text(left - 26, _height(mark, span) + 4, f"{mark:,.0f}") for mark in span]
    return "".join([*parts, _text(left + WIDTH / 2, TOP + HEIGHT + 40, "ratings, logarithmic")])


def _height(value: float, span: tuple[float, float]) -> float:
    return TOP + HEIGHT * (1 - _along(value, span))


def _along(value: float, span: tuple[float, float]) -> float:
    return (log10(value) - log10(span[0])) / (log10(span[1]) - log10(span[0]))


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{words}</text>\n'

"""The quality report as one HTML file with its plots as SVG."""

import html
import io
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

from evaluation.held_out_result import GIVEN_N
from jobs.quality_report import SHOWN_GIVEN, QualityReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, POPULARITY, DIAGONAL = "#1f5f8b", "#b0722a", "#8a8a8a"
STYLE: Any = {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none"}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Matinee: quality of the recommendations</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
figure {{ margin: 2.5rem 0 }} svg {{ width: 100%; height: auto }} figcaption {{ color: #555 }}
pre {{ overflow-x: auto; font-size: 13px; background: #f5f5f2; padding: 1rem }}
</style></head><body>
<h1>Quality of the recommendations</h1>
<pre>{table}</pre>
{figures}
</body></html>
"""


def page(report: QualityReport) -> str:
    """Return the page as HTML."""
    figures = "\n".join(_figure(draw, report, caption) for caption, draw in FIGURES.items())
    return PAGE.format(table=html.escape(str(report)), figures=figures)


def _figure(draw: "Callable[[Axes, QualityReport], None]", report: QualityReport, caption: str) -> str:
    from matplotlib.figure import Figure  # its first import on a machine looks for fonts in a process of its own

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        draw(figure.add_subplot(), report)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    return f"<figure>{svg[svg.index('<svg') :]}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _measure(axes: "Axes", report: QualityReport, name: str, by_given: bool = False) -> None:
    """Plot a measure of each evaluated generation or, `by_given`, of the newest one by the number of ratings given."""
    judged = [entry for entry in report.entries if entry.measure("NDCG@10")]
    if not judged:
        _say(axes, "No generation has been evaluated on held-out users yet.")
        return
    if by_given:
        label, axis, ticks = f"generation {judged[-1].id}", "ratings given", [str(n) for n in GIVEN_N]
        points = [(judged[-1], n) for n in GIVEN_N]
    else:
        label, axis, points = "Matinee", "generation", [(entry, SHOWN_GIVEN) for entry in judged]
        ticks = [f"{entry.id}{' (rejected)' if entry.verdict == 'rejected' else ''}" for entry in judged]
    places = np.arange(len(points))
    for measure, colour, shown in ((name, OURS, label), ("popularity", POPULARITY, "popularity")):
        if measure == name or name == "NDCG@10":
            rows = [entry.measure(measure, n) or (np.nan,) * 3 for entry, n in points]
            value, low, high = np.array(rows, float).T
            axes.errorbar(places, value, [value - low, high - value], fmt="o-", color=colour, capsize=3, label=shown)
    axes.set_xticks(places, ticks)
    axes.set(xlabel=axis, ylabel=name)
    axes.legend(frameon=False)
    if name != "RMSE":
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])


def _calibration(axes: "Axes", report: QualityReport) -> None:
    expected, rating = report.calibration.T
    if len(rating) == 0:
        _say(axes, "No rating has come since the first generation was published.")
        return
    steps = np.round(expected * 2) / 2
    for step in np.unique(steps):
        given = rating[steps == step]
        axes.errorbar(step, given.mean(), 1.96 * given.std() / np.sqrt(len(given)), fmt="o", color=OURS, capsize=3)
        axes.annotate(f"{len(given):,}", (step, given.mean()), xytext=(6, 6), textcoords="offset points", fontsize=9)
    axes.plot([0.5, 5], [0.5, 5], color=DIAGONAL, linestyle="--")
    axes.set(xlabel="expected rating", ylabel="rating given", xlim=(0.4, 5.1), ylim=(0.4, 5.1))


def _say(axes: "Axes", why: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes)


FIGURES: "dict[str, Callable[[Axes, QualityReport], None]]" = {
    f"NDCG@10 of each generation for held-out users after {SHOWN_GIVEN} ratings, with 95 % intervals, beside "
    "popularity.": partial(_measure, name="NDCG@10"),
    "Error of the shown rating for the same users (RMSE, lower is better).": partial(_measure, name="RMSE"),
    "NDCG@10 of the newest evaluated generation by the number of ratings given.": partial(
        _measure, name="NDCG@10", by_given=True
    ),
    "Error of the rating it shows, by the number of ratings given.": partial(_measure, name="RMSE", by_given=True),
    "Share of the rated movies that is in any of their lists.": partial(_measure, name="coverage@10"),
    "New ratings by their expected rating. On the line, the mean rating equals the expected one.": _calibration,
}

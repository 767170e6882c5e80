"""The quality report as one HTML file with its plots as SVG."""

import html
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

from evaluation.held_out_result import GIVEN_N
from jobs.quality_report import SHOWN_GIVEN, GenerationEntry, QualityReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, POPULARITY, DIAGONAL = "#1f5f8b", "#b0722a", "#8a8a8a"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Matinee: how good the answers are</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
figure {{ margin: 2.5rem 0 }} svg {{ width: 100%; height: auto }} figcaption {{ color: #555 }}
pre {{ overflow-x: auto; font-size: 13px; background: #f5f5f2; padding: 1rem }}
</style></head><body>
<h1>How good the answers are</h1>
<pre>{table}</pre>
{figures}
</body></html>
"""


def page(report: QualityReport) -> str:
    """Return the page as HTML."""
    figures = "\n".join(_figure(draw, report, caption) for draw, caption in FIGURES)
    return PAGE.format(table=html.escape(str(report)), figures=figures)


def _figure(draw: "Callable[[Axes, QualityReport], None]", report: QualityReport, caption: str) -> str:
    from matplotlib.figure import Figure  # which looks for fonts, with a program of its own, where nobody has yet

    with mpl.rc_context(
        {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none"}
    ):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        draw(figure.add_subplot(), report)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    return f"<figure>{svg[svg.index('<svg') :]}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _ndcg(axes: "Axes", report: QualityReport) -> None:
    if judged := _judged(axes, report):
        _with_intervals(axes, [entry.measure("NDCG@10") for entry in judged], OURS, "Matinee")
        _with_intervals(axes, [entry.measure("popularity") for entry in judged], POPULARITY, "popularity")
        _label_generations(axes, judged, "NDCG@10")
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])


def _rmse(axes: "Axes", report: QualityReport) -> None:
    if judged := _judged(axes, report):
        _with_intervals(axes, [entry.measure("RMSE") for entry in judged], OURS, "Matinee")
        _label_generations(axes, judged, "RMSE")


def _coverage(axes: "Axes", report: QualityReport) -> None:
    if judged := _judged(axes, report):
        shares = [float(entry.held_out[SHOWN_GIVEN]["coverage@10"]) for entry in judged]
        axes.plot(np.arange(len(judged)), shares, "o-", color=OURS, label="Matinee")
        _label_generations(axes, judged, "coverage@10")
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])


def _judged(axes: "Axes", report: QualityReport) -> list[GenerationEntry]:
    """Return the generations that have been evaluated; the axes say so if there are none."""
    judged = [entry for entry in report.entries if entry.measure("NDCG@10")]
    if not judged:
        _say(axes, "No generation has been evaluated on held-out users yet.")
    return judged


def _label_generations(axes: "Axes", judged: list[GenerationEntry], name: str) -> None:
    labels = [f"{entry.id} (rejected)" if entry.verdict == "rejected" else f"{entry.id}" for entry in judged]
    axes.set_xticks(np.arange(len(judged)), labels)
    axes.set(xlabel="generation", ylabel=name)
    axes.legend(frameon=False)


def _ndcg_by_given(axes: "Axes", report: QualityReport) -> None:
    if judged := _judged(axes, report):
        newest = judged[-1]
        _with_intervals(axes, [newest.measure("NDCG@10", n) for n in GIVEN_N], OURS, f"generation {newest.id}")
        _with_intervals(axes, [newest.measure("popularity", n) for n in GIVEN_N], POPULARITY, "popularity")
        _label_given(axes, "NDCG@10")
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])


def _rmse_by_given(axes: "Axes", report: QualityReport) -> None:
    if judged := _judged(axes, report):
        newest = judged[-1]
        _with_intervals(axes, [newest.measure("RMSE", n) for n in GIVEN_N], OURS, f"generation {newest.id}")
        _label_given(axes, "RMSE")


def _label_given(axes: "Axes", name: str) -> None:
    axes.set_xticks(np.arange(len(GIVEN_N)), [str(n) for n in GIVEN_N])
    axes.set(xlabel="ratings given", ylabel=name)
    axes.legend(frameon=False)


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


def _with_intervals(axes: "Axes", found: list[tuple[float, float, float] | None], colour: str, label: str) -> None:
    value, low, high = np.array([row or (np.nan,) * 3 for row in found], float).T
    places = np.arange(len(found))
    axes.errorbar(places, value, [value - low, high - value], fmt="o-", color=colour, capsize=3, label=label)


def _say(axes: "Axes", why: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes)


FIGURES = (
    (
        _ndcg,
        f"NDCG@10 of each generation for held-out users after {SHOWN_GIVEN} ratings, with 95 % intervals, beside "
        "popularity.",
    ),
    (_rmse, "Error of the shown rating for the same users (RMSE, lower is better)."),
    (_ndcg_by_given, "NDCG@10 of the newest judged generation by the number of ratings given."),
    (_rmse_by_given, "Error of the rating it shows, by the number of ratings given."),
    (_coverage, "Share of the rated movies that is in any of their lists."),
    (
        _calibration,
        "New ratings by their expected rating. On the line, the mean rating equals the expected one.",
    ),
)

"""Report the quality of each generation on the held-out users and in online evaluation, as text or HTML."""

import html
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.held_out_result import GIVEN_N
from ranking.ratings import Floats
from storage import generations, predictions
from storage.database import Database

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN_GIVEN = 10  # number of given ratings in columns with room for one number
LINE = "{:>2}{:>5}  {:<16}  {:<8}  {:>8} {:>8} {:>6} {:>7} {:>6} {:>6} {:>6}"
ONLINE = "{views:,} {rmse:.3f} {hit_rate:.3f} {median_rank:,.0f}"
NOTES = (
    f"NDCG@10, popularity and the first RMSE: held-out users after {SHOWN_GIVEN} ratings.",
    "views and what follows: each new rating compared with what the live generation predicted for it.",
)
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


@dataclass(frozen=True)
class GenerationEntry:
    """A generation in the report.

    Attributes:
        held_out: for each number of given ratings, measures as [value, low, high]; empty without held-out users.
        online: its online evaluation (views, rmse, hit_rate, median_rank); None without ratings while it was live.
    """

    id: int
    created: str
    verdict: str
    reason: str
    live: bool
    held_out: dict[int, dict[str, Any]]
    online: dict[str, Any] | None

    def measure(self, name: str, given: int = SHOWN_GIVEN) -> tuple[float, float, float] | None:
        """Return the value and the 95 % interval of a measure on the held-out users."""
        found = self.held_out.get(given, {}).get(name)
        if isinstance(found, float):  # coverage, which is not a mean over users
            return found, found, found
        if not found or any(number is None for number in found):
            return None
        return found[0], found[1], found[2]


@dataclass(frozen=True)
class QualityReport:
    """Generations, oldest first, and new ratings with their predictions.

    Attributes:
        calibration: (expected rating, rating) for each rating that was predicted, float32 [n, 2].
    """

    entries: list[GenerationEntry]
    calibration: Floats

    def __str__(self) -> str:
        head = LINE.format("", "id", "made", "verdict", "NDCG@10", "popular", "RMSE", "views", "RMSE", "hit@10", "rank")
        return "\n".join([head, *map(_line, self.entries), *NOTES])


def report(database: Database, limit: int) -> QualityReport:
    """Return the report on the newest generations."""
    with database.statement() as db:
        rows, calibration = generations.recent(db, limit), predictions.calibration_points(db)
    entries = []
    for row in reversed(rows):
        given = row.details.get("held_out", {}).get("candidate", {}).get("given", {})
        held_out = {int(n): measures for n, measures in given.items()}
        created = f"{row.created_at:%Y-%m-%d %H:%M}"
        entries.append(GenerationEntry(row.id, created, row.verdict, row.reason, bool(row.live), held_out, row.online))
    return QualityReport(entries, calibration)


def _line(entry: GenerationEntry) -> str:
    def shown(name: str) -> str:
        found = entry.measure(name)
        return f"{found[0]:.4f}" if found else "-"

    online = ONLINE.format_map(entry.online) if entry.online else "- - - -"
    mark, held_out = "*" if entry.live else "", map(shown, ("NDCG@10", "popularity", "RMSE"))
    return LINE.format(mark, entry.id, entry.created, entry.verdict, *held_out, *online.split())


def page(report: QualityReport) -> str:
    """Return the report as an HTML page."""
    figures = "\n".join(_figure(draw, report, caption) for caption, draw in FIGURES.items())
    return PAGE.format(table=html.escape(str(report)), figures=figures)


def _figure(draw: "Callable[[Axes, QualityReport], None]", report: QualityReport, caption: str) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure  # here: its first import on a machine starts a process that looks for fonts

    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        draw(figure.add_subplot(), report)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    return f"<figure>{svg[svg.index('<svg') :]}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _measure(axes: "Axes", report: QualityReport, name: str, by_given: bool = False) -> None:
    """Plot a measure of each evaluated generation or, `by_given`, of the newest one by the number of given ratings."""
    judged = [entry for entry in report.entries if entry.measure("NDCG@10")]
    if not judged:
        _write_note(axes, "No generation has been evaluated on held-out users yet.")
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
        _write_note(axes, "No rating has come since the first generation was published.")
        return
    steps = np.round(expected * 2) / 2
    for step in np.unique(steps):
        given = rating[steps == step]
        axes.errorbar(step, given.mean(), 1.96 * given.std() / np.sqrt(len(given)), fmt="o", color=OURS, capsize=3)
        axes.annotate(f"{len(given):,}", (step, given.mean()), xytext=(6, 6), textcoords="offset points", fontsize=9)
    axes.plot([0.5, 5], [0.5, 5], color=DIAGONAL, linestyle="--")
    axes.set(xlabel="expected rating", ylabel="rating given", xlim=(0.4, 5.1), ylim=(0.4, 5.1))


def _write_note(axes: "Axes", why: str) -> None:
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

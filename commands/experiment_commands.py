"""Experiments: start, list, show and stop."""

import secrets
from dataclasses import asdict
from typing import Any

import click
from sqlalchemy import Row

from commands.context import Context
from commands.framework import CommandResult, command, group, log_change
from evaluation.experiment_result import stored_result
from ranking.experiment import Experiment
from storage import experiments as stored
from storage.database import TRAINING_LOCK


@command(
    "start",
    examples=[
        ("matinee experiment start fewer --arm today --arm neighbour_weight=0.8", "A/B, with a fifth of the users."),
        ("matinee experiment start back --arm today --arm G17 --share 100 --interleave", "Both in each list."),
    ],
)
@click.argument("name")
@click.option("--arm", "arms", multiple=True, required=True, help="today, a generation (G17) or a score setting.")
@click.option("--share", type=click.IntRange(1, 100), default=20, help="Percentage of users who take part.")
@click.option("--interleave", is_flag=True, help="Have both arms draft each list.")
def start(context: Context, name: str, arms: tuple[str, ...], share: int, interleave: bool) -> CommandResult:
    """Start the experiment NAME; the first arm is the control. Running services follow within two seconds.

    An arm that changes a setting is judged on the held-out users first, and refused if it is worse. During a training
    run it is left to the service, which judges it afterwards.
    """
    from jobs.experiments import judge

    wanted, judged = Experiment(name, arms, share, interleave, secrets.token_hex(8)), list[str]()
    with context.database() as database, database.try_lock(TRAINING_LOCK) as mine:
        with database.background_transaction() as db:
            stored.start(db, wanted)
        if wanted.changed and not mine:
            return CommandResult(f"{name} is judged after the training that is under way", asdict(wanted))
        if wanted.changed:
            judged = judge(database, context.settings, name)
    log_change(str(wanted))
    return CommandResult("\n".join([*judged, str(wanted)]), asdict(wanted) | {"judged": judged})


@command("list", examples=[("matinee experiment list", "All experiments, the newest first.")])
def list_experiments(context: Context) -> CommandResult:
    """List experiments, the newest first."""
    with context.database() as database, database.background_transaction() as db:
        rows = stored.recent(db)
    lines = [f"{row.name:<24} {_state(row):<40} {', '.join(row.arms)}" for row in rows]
    return CommandResult("\n".join(lines) or "there has been no experiment", [dict(row._mapping) for row in rows])


@command("show", examples=[("matinee experiment show fewer", "What has become of its lists so far.")])
@click.argument("name")
def show(context: Context, name: str) -> CommandResult:
    """Show what has become of the lists of the experiment NAME; it may be looked at at any time.

    The service counts each minute.
    """
    with context.database() as database, database.background_transaction() as db:
        row = stored.find(db, name)
    found = stored_result(stored.of_row(row), row.result)
    counted = "not counted yet" if row.result_at is None else f"counted {row.result_at:%Y-%m-%d %H:%M}"
    lines = [f"{name}: {_state(row)}", *(row.judgement or []), f"{found}", counted]
    return CommandResult("\n".join(lines), {**row._mapping, "result": asdict(found)})


@command("stop", examples=[("matinee experiment stop fewer", "Everybody gets the live generation again.")])
@click.argument("name")
def stop(context: Context, name: str) -> CommandResult:
    """End the experiment NAME; its results stay."""
    with context.database() as database, database.background_transaction() as db:
        ended = stored.end(db, name, "ended by an operator")
    if ended:
        log_change(f"experiment {name} has ended")
    return CommandResult(f"experiment {name} has ended", {"name": name})


def _state(row: Row[Any]) -> str:
    ended = "" if row.ended_at is None else f", ended {row.ended_at:%Y-%m-%d %H:%M}: {row.reason}"
    judging = "judging " if stored.state(row) == "judging" else ""
    return f"{judging}since {row.started_at:%Y-%m-%d %H:%M}, {row.share} %{ended}"


experiment = group(
    "experiment",
    "Start, list, show and stop experiments.\n\n"
    "Different users get lists of different models, and you see which they like; docs/experiments.md explains it.",
    *(start, list_experiments, show, stop),
)

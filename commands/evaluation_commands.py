"""Commands that measure generations and settings, and search for better settings."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.context import FILE, FOLDER, TRAINING_SETTINGS, Context, new_file
from commands.framework import CommandResult, command
from evaluation.outcome_report import outcome_report
from storage import outcomes
from system.disk import write_atomically
from system.setting_values import whole

if TYPE_CHECKING:
    from evaluation.protocol_result import ProtocolResult

PROTOCOLS = click.Choice(
    ["temporal", "random", "new-users", "newcomers", "calendar", "strong", "cold", "steadiness", "implicit"]
)


def whole_numbers(value: str) -> list[int]:
    """Return whole numbers that are separated by commas, in their order: a click type."""
    try:
        return [whole(0, 2**31 - 1)(text) for text in value.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: give {error}, or several separated by commas") from error


dataset_option = click.option("--dataset", type=FOLDER, help="A folder with a MovieLens set; default: the service's.")


@command(
    examples=[
        ("matinee evaluate", "How good the live generation is."),
        ("matinee evaluate --protocol temporal --seeds 1,2,3 --out found.json", "Train and measure three times."),
    ],
    reads=TRAINING_SETTINGS,
)
@click.option("--protocol", type=PROTOCOLS, help="Train and measure the model by this protocol: docs/evaluation.md.")
@dataset_option
@click.option("--train-pairs", type=FILE, help="With implicit: lines of `user item item ...`, or two columns.")
@click.option("--test-pairs", type=FILE, help="With implicit: the pairs to predict, in the same form.")
@click.option(
    "--seeds", type=whole_numbers, default="1", metavar="N,...", help="One run for each seed; the mean is printed."
)
@click.option("--generation", type=int, help="Without a protocol: the generation to measure; default: the live one.")
@click.option("--out", type=new_file, metavar="FILE", help="Write the result, as JSON, to this file too.")
def evaluate(context: Context, /, out: Path | None, **options: Any) -> CommandResult:
    """Measure a generation on held-out users or, with --protocol, the model on any dataset.

    docs/evaluation.md describes each protocol.
    """
    result = _measured(context, **options)
    if out is not None:
        write_atomically(out, json.dumps(result.to_json(), indent=1).encode())
    return CommandResult(str(result), result.to_json())


@command(
    examples=[
        ("matinee tune --trials 200", "Search for an hour or so."),
        ("matinee --params tuned.env train", "Use the settings that were found, once."),
    ],
    reads=TRAINING_SETTINGS,
)
@dataset_option
@click.option("--trials", type=click.IntRange(1), default=50, help="Settings to try; Ctrl-C ends it early.")
@click.option("--seed", default=1, help="Seed of the search and of the trainings.")
@click.option(
    "--out", type=new_file, metavar="FILE", default="tuned.env", help="The file for --params, or for a shell."
)
def tune(context: Context, dataset: Path | None, trials: int, seed: int, out: Path) -> CommandResult:
    """Search for better settings of ranker and fold-in, and compare them with the present ones."""
    from jobs.tune import tune as search
    from movielens.reader import read_dataset

    ratings, movies = read_dataset(dataset or context.dataset())
    with context.engine() as engine:
        result = search(engine, ratings, movies, context.settings.model, out, trials, seed)
    return CommandResult(f"{result}\nthe settings found are in {out}", result.to_json() | {"out": str(out)})


@command(examples=[("matinee report --html report.html", "A page with plots.")])
@click.option("--limit", type=click.IntRange(1), default=20, help="How many generations, newest first.")
@click.option("--days", type=click.IntRange(1, 36500), default=30, help="What users were shown so many days ago.")
@click.option(
    "--html",
    "page",
    type=new_file,
    metavar="FILE",
    help="Write a page with plots to this file; it needs no other file.",
)
def report(context: Context, limit: int, days: int, page: Path | None) -> CommandResult:
    """Show how good each generation has been: on held-out users, on later ratings, and with users.

    The last part is what users did with the movies that they were shown.
    """
    from jobs import quality_report

    with context.database() as database:
        found = quality_report.report(database, limit)
        with database.background_transaction() as db:
            shown = outcome_report(days, outcomes.recent(db, days))
    if page is not None:
        write_atomically(page, quality_report.page(found).encode())
    facts = {"generations": [asdict(entry) for entry in found.entries], "shown": asdict(shown)}
    return CommandResult(f"{found}\n\n{shown}", facts)


def _measured(
    context: Context,
    protocol: str | None,
    dataset: Path | None,
    train_pairs: Path | None,
    test_pairs: Path | None,
    seeds: list[int],
    generation: int | None,
) -> "ProtocolResult":
    from jobs import offline_evaluation

    if protocol is None:
        with context.database() as database:
            return offline_evaluation.measure_generation(database, context.settings, generation)
    with context.engine() as engine:
        if protocol != "implicit":
            return offline_evaluation.run_protocol(engine, protocol, dataset or context.dataset(), seeds)
        if train_pairs is None or test_pairs is None:
            raise click.UsageError("--protocol implicit needs --train-pairs and --test-pairs")
        return offline_evaluation.run_implicit(engine, train_pairs, test_pairs, seeds)

"""Commands that measure: how good generations and settings are, and which settings are better."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.context import FILE, FOLDER, NEW_FILE, SEEDS, Context
from runtime.new_file import write_whole

if TYPE_CHECKING:
    from scoring.evaluation import Result

PROTOCOLS = click.Choice(["temporal", "random", "new-users", "newcomers", "steadiness", "implicit"])

of_a_folder = click.option(
    "--dataset", type=FOLDER, help="A folder that holds a MovieLens set; the service's own if not given."
)


@dataclass(frozen=True)
class Question:
    """What `evaluate` is asked; the fields are its options."""

    protocol: str | None
    dataset: Path | None
    train_pairs: Path | None
    test_pairs: Path | None
    seeds: list[int]
    generation: int | None

    def answer(self, context: Context) -> "Result":
        """The measurement."""
        from jobs import measure

        if self.protocol is None:
            with context.database() as database:
                return measure.measure_generation(database, context.settings, self.generation)
        with context.engine() as engine:
            if self.protocol != "implicit":
                return measure.run_protocol(engine, self.protocol, self.dataset or context.dataset(), self.seeds)
            if self.train_pairs is None or self.test_pairs is None:
                raise click.UsageError("--protocol implicit needs --train-pairs and --test-pairs")
            return measure.run_implicit(engine, self.train_pairs, self.test_pairs, self.seeds)


@click.command()
@click.option("--protocol", type=PROTOCOLS)
@of_a_folder
@click.option("--train-pairs", type=FILE, help="With implicit: lines of `user item item ...`, or two columns.")
@click.option("--test-pairs", type=FILE, help="With implicit: the pairs to be found, in the same form.")
@click.option("--seeds", type=SEEDS, default="1", show_default=True, help="One run for each; the mean is printed.")
@click.option("--generation", type=int, help="Without a protocol: which one to measure; the live one if not given.")
@click.option("--json", "out", type=NEW_FILE, help="Write the result here too.")
@click.pass_obj
def evaluate(context: Context, /, out: Path | None, **question: Any) -> None:
    """Measure a generation on the held-out people or, with --protocol, the model on any dataset.

    docs/evaluation.md says what each protocol does.
    """
    result = Question(**question).answer(context)
    click.echo(str(result))
    if out is not None:
        write_whole(out, json.dumps(result.to_json(), indent=1).encode())


@click.command()
@of_a_folder
@click.option("--trials", default=50, show_default=True, help="Settings to try; Ctrl-C ends it early.")
@click.option("--seed", default=1, show_default=True)
@click.option("--out", type=NEW_FILE, default="tuned.env", show_default=True, help="For --params, or a shell.")
@click.pass_obj
def tune(context: Context, dataset: Path | None, trials: int, seed: int, out: Path) -> None:
    """Search for better settings of ranker and fold-in, and compare them with today's."""
    from jobs.tune import tune as search
    from runtime.movielens import read_set

    ratings, films = read_set(dataset or context.dataset())
    with context.engine() as engine:
        result = search(engine, ratings, films, context.settings.model, out, trials, seed)
    click.echo(f"{result}\nthe settings found are in {out}")


@click.command()
@click.option("--limit", default=20, show_default=True, help="How many generations, the newest.")
@click.option("--html", "page", type=NEW_FILE, help="Write it with plots to this file, a page that needs nothing else.")
@click.pass_obj
def report(context: Context, limit: int, page: Path | None) -> None:
    """Show how good each generation has been, on held-out people and on the views that came after it."""
    from jobs.report import report as gather

    with context.database() as database:
        found = gather(database, context.settings, limit)
    click.echo(str(found))
    if page is not None:
        from jobs.report_page import page as drawn

        write_whole(page, drawn(found).encode())

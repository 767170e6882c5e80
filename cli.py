"""What operators do by hand, one call for each command: `python cli.py COMMAND --help`."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

import settings as settings_module
from runtime.logs import log_to_stderr
from runtime.postgres import EmbeddedPostgres, PostgresError
from runtime.process import die_with_parent
from runtime.report import DatasetError
from scoring.factors import Factors, FactorsError
from settings import Settings, SettingsError
from storage.database import Database
from storage.errors import DatabaseUnavailableError, NothingServedError, UnknownGenerationError

if TYPE_CHECKING:
    from engine import Engine
    from jobs.retrain import Trainer

CLI_CONNECTIONS = 4
MENDABLE = (
    DatabaseUnavailableError,
    DatasetError,
    FactorsError,
    NothingServedError,
    PostgresError,
    UnknownGenerationError,
)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@dataclass(frozen=True)
class Context:
    """What every command is given: the settings, and the database they name."""

    settings: Settings

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The migrated database; an embedded server is shared with a running service, or started for this command."""
        with _server(self.settings) as url:
            database = Database(url, CLI_CONNECTIONS)
            try:
                database.migrate()
                yield database
            finally:
                database.close()

    @contextmanager
    def trainer(self) -> Iterator["Trainer"]:
        """A trainer on a database whose catalogue is filled; Spark starts when it is needed."""
        from jobs.ingest import init_movie_table
        from jobs.retrain import Trainer
        from recommender import Recommender

        with self.database() as database, self.engine() as engine:
            init_movie_table(database, self.settings)
            yield Trainer(self.settings, database, engine, Recommender(database))

    @contextmanager
    def engine(self) -> Iterator["Engine"]:
        """An engine; its Spark starts when it is first needed."""
        from engine import Engine  # here, since it loads Spark, which most commands do without

        engine = Engine(self.settings)
        try:
            yield engine
        finally:
            engine.stop()

    def dataset(self) -> Path:
        """The folder of the service's dataset, downloaded if need be."""
        from jobs.ingest import dataset_folder

        return dataset_folder(self.settings)


@contextmanager
def _server(settings: Settings) -> Iterator[str]:
    if settings.database_url:
        yield settings.database_url
    else:
        with EmbeddedPostgres(settings.state_dir) as url:
            yield url


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--params", type=FILE, help="Settings that win over all others: a file that tune has written.")
@click.pass_context
def cli(context: click.Context, params: Path | None) -> None:
    """Operate Matinee. Settings come from the environment and .env, as they do for the server."""
    try:
        context.obj = Context(settings_module.load(params=params))
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    log_to_stderr(context.obj.settings.log_level)


@cli.command()
@click.argument("revision", default="head")
@click.pass_obj
def migrate(context: Context, revision: str) -> None:
    """Bring the tables to REVISION: head, a revision's id, or base, which drops them all."""
    with _server(context.settings) as url:
        database = Database(url, CLI_CONNECTIONS)
        database.migrate(revision)
        database.close()


@cli.command()
@click.pass_obj
def ingest(context: Context) -> None:
    """Fill the catalogue from the dataset, if it is empty."""
    from jobs.ingest import init_movie_table

    with context.database() as database:
        init_movie_table(database, context.settings)


@cli.command()
@click.pass_obj
def train(context: Context) -> None:
    """Do one training with all that is known now and publish it, without the server.

    A running server picks the new generation up by itself.
    """
    with context.trainer() as trainer:
        click.echo(trainer.retrain())


@cli.command()
@click.argument("file", type=FILE)
@click.pass_obj
def load(context: Context, file: Path) -> None:
    """Bring in FILE, a generation that engine.py has trained, through the same gate as any training."""
    factors = Factors.from_bytes(file.read_bytes())
    with context.trainer() as trainer:
        click.echo(trainer.load(factors))


@cli.command()
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@click.pass_obj
def generations(context: Context, limit: int) -> None:
    """List the trainings and their verdicts; * marks the one that is served."""
    from storage import generations as stored

    with context.database() as database, database.statement() as db:
        for row in stored.recent(db, limit):
            mark = "*" if row.live else " " if row.kept else "-"
            click.echo(f"{mark} {row.id:>5}  {row.created_at:%Y-%m-%d %H:%M:%S}  {row.verdict:<8}  {row.reason}")


@cli.command()
@click.argument("generation", type=int)
@click.pass_obj
def activate(context: Context, generation: int) -> None:
    """Serve GENERATION from now on, back or forward; running servers follow within seconds."""
    from storage import generations as stored

    with context.database() as database, database.transaction() as db:
        stored.load(db, generation)  # factors that cannot be read must not go live
        stored.flip(db, generation)
    click.echo(f"generation {generation} is live")


@cli.command()
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

        page.write_text(drawn(found), "utf-8")


@cli.command()
@click.option(
    "--protocol", type=click.Choice(["temporal", "random", "new-users", "newcomers", "steadiness", "implicit"])
)
@click.option("--dataset", type=FOLDER, help="A folder that holds a MovieLens set; the service's own if not given.")
@click.option("--train-pairs", type=FILE, help="With implicit: lines of `user item item ...`, or two columns.")
@click.option("--test-pairs", type=FILE, help="With implicit: the pairs to be found, in the same form.")
@click.option("--seeds", default="1", show_default=True, help="One run for each; the mean is printed.")
@click.option("--generation", type=int, help="Without a protocol: which one to measure; the live one if not given.")
@click.option("--json", "out", type=NEW_FILE, help="Write the result here too.")
@click.pass_obj
def evaluate(
    context: Context,
    protocol: str | None,
    dataset: Path | None,
    train_pairs: Path | None,
    test_pairs: Path | None,
    seeds: str,
    generation: int | None,
    out: Path | None,
) -> None:
    """Measure a generation on the held-out people or, with --protocol, the model on any dataset.

    docs/evaluation.md says what each protocol does.
    """
    from jobs import measure

    numbers = [int(seed) for seed in seeds.split(",")]
    if protocol is None:
        with context.database() as database:
            result = measure.measure_generation(database, context.settings, generation)
    elif protocol == "implicit":
        if train_pairs is None or test_pairs is None:
            raise click.UsageError("--protocol implicit needs --train-pairs and --test-pairs")
        with context.engine() as engine:
            result = measure.run_implicit(engine, train_pairs, test_pairs, numbers)
    else:
        with context.engine() as engine:
            result = measure.run_protocol(engine, protocol, dataset or context.dataset(), numbers)
    click.echo(str(result))
    if out is not None:
        out.write_text(json.dumps(result.to_json(), indent=1))


@cli.command()
@click.option("--dataset", type=FOLDER, help="A folder that holds a MovieLens set; the service's own if not given.")
@click.option("--trials", default=50, show_default=True, help="Settings to try; Ctrl-C ends it early.")
@click.option("--seed", default=1, show_default=True)
@click.option("--out", type=NEW_FILE, default="tuned.env", show_default=True, help="For --params, or a shell.")
@click.pass_obj
def tune(context: Context, dataset: Path | None, trials: int, seed: int, out: Path) -> None:
    """Search for better settings of ranker and fold-in, and compare them with today's."""
    from jobs.measure import read_folder
    from jobs.tune import tune as search

    ratings, films = read_folder(dataset or context.dataset())
    with context.engine() as engine:
        result = search(engine, ratings, films, context.settings.model, out, trials, seed)
    click.echo(f"{result}\nthe settings found are in {out}")


def main() -> None:
    """Run a command; what an operator can mend is one line on stderr and exit status 1."""
    die_with_parent(signal.SIGTERM)
    try:
        cli()
    except MENDABLE as error:
        click.echo(f"matinee: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()

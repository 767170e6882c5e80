"""Commands about movies: own ones, and another edition of the dataset."""

from pathlib import Path
from typing import Any

import click

from commands.context import FILE, Context
from commands.framework import CommandResult, command, group, log_change
from storage import movie_changes
from storage.movie_changes import MovieChange, MovieDescription

MOVIE_ID = click.IntRange(1, 2**31 - 1)


@command(examples=[("matinee movies add 'Ministry of Fear' --year 1944 --genre Drama", "It prints the new id.")])
@click.argument("title")
@click.option("--year", type=click.IntRange(1000, 9999), help="Of its release.")
@click.option("--genre", multiple=True, help="A genre; repeat it for several.")
@click.option("--imdb-id", help="Like tt0036164.")
@click.option("--tmdb-id", type=MOVIE_ID, help="Its number at TMDB.")
@click.option("--id", "movie_id", type=click.IntRange(1, movie_changes.LAST_GIVEN_ID), help="Add or replace this one.")
def add(
    context: Context, /, title: str, genre: tuple[str, ...], imdb_id: str | None, movie_id: int | None, **others: Any
) -> CommandResult:
    """Add a movie; without --id it gets one from 1,000,000,000 on."""
    from catalogue.movie import NO_GENRES, split_genres
    from movielens.line_report import LineError
    from movielens.links_and_tags import parse_imdb_id

    if not title.isprintable() or not 0 < len(title.strip()) <= 500:
        raise click.BadParameter("give 1 to 500 printable characters", param_hint="TITLE")
    try:
        imdb_id = parse_imdb_id(imdb_id or "")
    except LineError as error:
        raise click.BadParameter(str(error), param_hint="--imdb-id") from error
    genres = "|".join(split_genres("|".join(genre))) or NO_GENRES
    described = MovieDescription(title.strip(), genres, imdb_id=imdb_id, **others)
    with context.database() as database, database.background_transaction() as db:
        written = movie_changes.put(db, [MovieChange(movie_id, described)])
    message = movie_changes.described(written)
    log_change(message)
    ((made, created),) = written
    return CommandResult(message, {"movie_id": made, "created": created})


@command(
    "import",
    examples=[("matinee movies import new.csv", "Columns movieId,title,genres and, if you like, imdbId and tmdbId.")],
)
@click.argument("file", type=FILE)
def import_movies(context: Context, file: Path) -> CommandResult:
    """Add or replace the movies in FILE, all or none: CSV with MovieLens's columns.

    A line without a movieId is a new movie with an id of ours; importing the file again adds nothing.
    """
    from jobs import import_movies as job

    with context.database() as database:
        created, replaced = job.import_movies(database, file)
    facts = {"created": created, "replaced": replaced}
    message = f"movies added: {created:,}; there before: {replaced:,}"
    log_change(message)
    return CommandResult(message, facts)


@command(examples=[("matinee movies withdraw 25904", "It is in no list from now on.")])
@click.argument("movie_id", type=MOVIE_ID, nargs=-1, required=True)
def withdraw(context: Context, movie_id: tuple[int, ...]) -> CommandResult:
    """Withdraw movies: they are in no list, search or similar movies; they stay in ratings and exports.

    `matinee movies add --id` or PUT brings one back.
    """
    with context.database() as database, database.background_transaction() as db:
        count = movie_changes.withdraw(db, movie_id)
    if count:
        log_change(f"{count} of the movies {', '.join(map(str, movie_id))} are withdrawn")
    return CommandResult(f"movies withdrawn: {count}", {"withdrawn": count})


@command(examples=[("matinee catalogue diff ~/ml-latest", "What an update would change.")], reads=("MATINEE_DATASET",))
@click.argument("dataset", metavar="[NAME|FOLDER]", required=False)
def diff(context: Context, dataset: str | None) -> CommandResult:
    """Say how a dataset differs from the catalogue: movies added, changed and missing, and ratings. Nothing is changed.

    Without an argument it is the one of MATINEE_DATASET.
    """
    from jobs.ingest import compare_catalogue

    with context.database() as database:
        folder = context.dataset(dataset)
        found = compare_catalogue(database, folder)
    return CommandResult(_summary(folder, found.counts), found.counts | vars(found.difference))


@command(
    examples=[
        ("matinee catalogue update ~/ml-latest", "Beside the running service, in one transaction."),
        ("matinee catalogue update ml-latest --withdraw-missing", "Without the movies that it no longer has."),
    ],
    reads=("MATINEE_DATASET",),
)
@click.argument("dataset", metavar="[NAME|FOLDER]", required=False)
@click.option("--withdraw-missing", is_flag=True, help="Withdraw the movies that the dataset does not have.")
@click.option("--restore", is_flag=True, help="Bring back withdrawn movies that the dataset has.")
def update(context: Context, dataset: str | None, withdraw_missing: bool, restore: bool) -> CommandResult:
    """Make movies and base ratings those of another edition of the dataset, whole or not at all.

    The service may run; it is refused while a training run is in progress. Ratings of our users stay, and so do own
    movies. The next training run learns from the new base. Set MATINEE_DATASET to the dataset afterwards.
    """
    from jobs.ingest import update_catalogue

    with context.database() as database:
        folder = context.dataset(dataset)
        found = update_catalogue(database, context.settings, folder, withdraw_missing, restore)
    message = f"the catalogue is that of {found.dataset} now"
    log_change(message)
    return CommandResult(f"{message}\n{_summary(folder, found.counts)}", found.counts)


def _summary(folder: Path, counts: dict[str, int]) -> str:
    missing = [what for what in ("links", "tags") if not (folder / f"{what}.csv").is_file()]
    return (
        f"movies added: {counts['added']:,}, changed: {counts['changed']:,}, missing: {counts['missing']:,}, "
        f"withdrawn here: {counts['withdrawn']:,}\n"
        f"ratings of the dataset: {counts['ratings_before']:,} in {counts['before']}, {counts['ratings']:,} in "
        f"{counts['dataset']}"
        + "".join(f"\n{folder} has no {what}.csv: movies keep their {what}, new ones have none" for what in missing)
    )


movies = group(
    "movies",
    "Add, import and withdraw movies. A running service shows the change in its next answer.",
    *(add, import_movies, withdraw),
)
catalogue = group(
    "catalogue", "Compare the catalogue with another edition of the dataset, and take that in.", diff, update
)

"""Write a MovieLens folder."""

from collections.abc import Iterable
from pathlib import Path


def write_folder(folder: Path, movies: Iterable[str], ratings: Iterable[str]) -> Path:
    """Create the folder with movies.csv and ratings.csv from their lines, and return it."""
    folder.mkdir(parents=True)
    for name, header, lines in (
        ("movies.csv", "movieId,title,genres\n", movies),
        ("ratings.csv", "userId,movieId,rating,timestamp\n", ratings),
    ):
        with (folder / name).open("w") as file:
            file.write(header)
            file.writelines(lines)
    return folder

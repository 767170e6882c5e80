"""What links.csv and tags.csv say of movies, whole files and damaged lines."""

from pathlib import Path

from movielens.links_and_tags import MovieIdentity, read_identities

LINKS = """movieId,imdbId,tmdbId
1,0114709,862
2,10048342,
3,,15602
4,tt0113228,4912
5,0113041,4912
"""
TAGS = """userId,movieId,tag,timestamp
1,1,Pixar,1
2,1,pixar ,2
3,1,"fun, and more",3
1,1,a,4
1,1,b,4
1,1,c,4
1,1,d,4
9,6,no links,5
"""


def write(folder: Path, links: str, tags: str = TAGS) -> Path:
    (folder / "links.csv").write_text(links)
    (folder / "tags.csv").write_text(tags)
    return folder


def test_every_row_of_the_links_is_found_and_the_five_most_given_tags(tmp_path: Path) -> None:
    found, (links, tags) = read_identities(write(tmp_path, LINKS), range(1, 7))
    assert found == {
        1: MovieIdentity("tt0114709", 862, ("pixar", "a", "b", "c", "d")),
        2: MovieIdentity("tt10048342", None),
        3: MovieIdentity(None, 15602),
        4: MovieIdentity("tt0113228", 4912),
        5: MovieIdentity("tt0113041", 4912),  # two movies may have one id
        6: MovieIdentity(tags=("no links",)),
    }
    assert (links.kept, links.rejected, tags.kept, tags.rejected) == (5, 0, 8, 0)


def test_a_line_that_cannot_be_used_is_told_and_passed_over(tmp_path: Path) -> None:
    bad = "x,1,1\n1,nm0000138,1\n1,12345678901,1\n1,0114709,0\n7,0114709,1\n1,0114709\n"
    found, (links, _) = read_identities(write(tmp_path, "movieId,imdbId,tmdbId\n" + bad + "2,0113497,8844\n"), [1, 2])
    assert found[2] == MovieIdentity("tt0113497", 8844)
    assert found[1].imdb_id is None
    assert (links.kept, [line for line, _ in links.first]) == (1, [2, 3, 4, 5, 6, 7])


def test_a_set_without_these_files_has_no_identities(tmp_path: Path) -> None:
    assert read_identities(tmp_path, [1]) == ({}, [])

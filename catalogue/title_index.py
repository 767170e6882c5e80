"""Search titles regardless of case, accents, word order, missing words and typos.

A movie is found by one of its names. With t the words of the query, q_t how well a name matches t (1 for an exact
match, less for the beginning of a word or a typo) and idf_t = log(1 + names / names that have t):

    found = sum over t of idf_t q_t
    score = found / sum of idf_t + .25 min(1, found / sum of the name's idf) + .5 popularity
    popularity = log(1 + ratings) / log(1 + most ratings)
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from catalogue.title_words import name_words, names, normalize, one_edit, query_words
from ranking.ratings import Floats, Ints, Rows

# match quality of a word that joins two others, is the movie's year, is a prefix, or has a typo
JOINED, YEAR, BEGUN, TYPO = 0.9, 0.8, 0.75, 0.6
WHOLE_NAME, POPULARITY = 0.25, 0.5
CUT = 0.5  # a movie needs at least this share of the best match
TYPO_LENGTHS = range(4, 31)  # lengths of words in which typos are recognized
LAST_LETTER = "\x7f"
MOST_WORDS = 16
TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class TitleIndex:
    """An index of the n names of f movies by their w words.

    Attributes:
        words: ascending [w]; row: the index of each word in `words`.
        start, name: the names that contain each word, as CSR, int64 [w + 1] and int32.
        weight: the sum of the idf of each name's words, float32 [n].
        first: the first name of each movie; a movie's names are adjacent, int64 [f].
        popularity: the popularity of each movie, 0 to 1, float32 [f].
        most: the largest number of ratings of a movie.
        known: the large index that this one supplements; its names determine the idf of a word.
    """

    words: Sequence[str]
    row: Mapping[str, int]
    start: npt.NDArray[np.int64]
    name: Ints
    weight: Floats
    first: Rows
    popularity: Floats
    most: int
    known: "TitleIndex | None" = None

    def search(self, text: str) -> tuple[Rows, Floats]:
        """Return the rows of the movies that match a query, ascending, and their scores."""
        return best_matches(*self.scores(text))

    def scores(self, text: str) -> tuple[Floats, Floats]:
        """Return how well each movie matches a query, 0 to 1, and its score [f]."""
        words = query_words(text)[:MOST_WORDS]
        found, whole = np.zeros(len(self.weight), np.float32), np.float32(TINY)
        for place in range(len(words)):
            fit, count = self._fit(words, place)
            if self.known is not None:
                count = self.known._fit(words, place)[1]
            idf = np.float32(_idf(len((self.known or self).weight), count))
            found += idf * fit
            whole += idf
        of_query = found / whole
        of_name = WHOLE_NAME * np.minimum(found / self.weight, 1)
        score = np.maximum.reduceat(of_query + of_name, self.first) + POPULARITY * self.popularity
        return np.maximum.reduceat(of_query, self.first), score

    def _fit(self, words: Sequence[str], place: int) -> tuple[Floats, int]:
        """Return how well each name matches a word of the query [n], and how many names have the word."""
        fit, count = np.zeros(len(self.weight), np.float32), 0
        for quality, having in sorted(self._matches(words, place), key=lambda match: match[0]):
            fit[having] = quality  # better matches come later and overwrite worse ones
            count = len(having) or count  # count the best match, because no name contains the typo
        return fit, count

    def _matches(self, words: Sequence[str], place: int) -> Iterator[tuple[float, Ints]]:
        """Yield (quality, names) for each way to match a word of the query."""
        word = words[place]
        yield 1.0, self._having(word)
        yield YEAR, self._having(_year(word))
        for one, other in pairwise(words[max(place - 1, 0) : place + 2]):
            yield JOINED, self._having(one + other)
        if place == len(words) - 1:
            first, last = (bisect_left(self.words, text) for text in (word, word + LAST_LETTER))
            yield BEGUN, self.name[self.start[first] : self.start[last]]
        if len(word) in TYPO_LENGTHS and not word.isdecimal():
            meant = one_edit(word) & self.row.keys()
            yield TYPO, np.concatenate([self.name[:0], *map(self._having, meant)])

    def _having(self, word: str) -> Ints:
        """Return the names that contain a word."""
        row = self.row.get(word)
        return self.name[:0] if row is None else self.name[self.start[row] : self.start[row + 1]]


def best_matches(match: Floats, score: Floats) -> tuple[Rows, Floats]:
    """Return the rows of the movies within `CUT` of the best match, ascending, and their scores."""
    rows = np.flatnonzero(match >= max(CUT * match.max(initial=0), TINY))
    return rows, score[rows]


def _names(titles: Iterable[str], years: Sequence[int]) -> tuple[list[int], list[tuple[str, int, bool]], int]:
    """Return the first name of each movie, (word, name, whether it counts for the weight) of each word, and the count.

    The count is the number of names. A name may have no words.
    """
    first, entries, n = [], [], 0
    for title, year in zip(titles, years, strict=True):
        first.append(n)
        for name in names(normalize(title)):
            words, also = name_words(name)
            also |= {_year(year)} if year else set()
            entries += [(word, n, True) for word in words] + [(word, n, False) for word in also]
            n += 1
    return first, entries, n


def build_title_index(
    titles: Iterable[str], years: Sequence[int], rating_counts: Ints, known: TitleIndex | None = None
) -> TitleIndex:
    """Return the index of these movies; each name also has the movie's year as a word, unless the year is 0.

    If the index supplements a larger one (`known`), that one determines the weights of words and the popularity scale.
    """
    first, entries, n = _names(titles, years)
    vocabulary = sorted({word for word, _, _ in entries})
    row = {word: row for row, word in enumerate(vocabulary)}
    of_word = np.array([row[word] for word, _, _ in entries], np.intp)
    of_name = np.array([name for _, name, _ in entries], np.int32)
    counted = np.array([counts for _, _, counts in entries], bool)
    having = np.bincount(of_word, minlength=len(row))
    idf, most = _idf(n, having), max(rating_counts.max(initial=0), 1)
    if known is not None:
        idf = _idf(len(known.weight), np.array([len(known._having(word)) for word in vocabulary], np.int64))
        most = known.most
    weight = np.bincount(of_name, idf[of_word] * counted, minlength=n)
    return TitleIndex(
        vocabulary,
        row,
        np.concatenate([[0], np.cumsum(having)]),
        of_name[np.argsort(of_word, kind="stable")],
        np.maximum(weight, TINY).astype(np.float32),
        np.array(first, np.intp),
        np.minimum(np.log1p(rating_counts) / np.log1p(most), 1).astype(np.float32),
        int(most),
        known,
    )


def _year(year: int | str) -> str:
    """Return a movie's year as a word unlike title words, so that "2001: A Space Odyssey" precedes movies of 2001."""
    return f" {year}"


def _idf(names: int, having: int | npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the inverse document frequency of a word, log(1 + names / names with the word)."""
    return np.log1p(names / np.maximum(having, 1))

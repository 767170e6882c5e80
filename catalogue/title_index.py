"""Finding movies by what a person types: any case, no accents, words left out or in another order, a typo in each.

A movie is found by one of its names. With t the words of the query, q_t how well the name has each (1 if as it is
written, less for the beginning of a word or a typo) and idf_t = log(1 + names / names that have t):

    found = sum over t of idf_t q_t
    score = found / sum of idf_t + .25 min(1, found / sum of the name's idf) + .5 popularity
    popularity = log(1 + ratings) / log(1 + most ratings)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from catalogue.title_words import LONGEST, name_words, names, normalize_titles, query_words
from catalogue.vocabulary import Vocabulary
from ranking.ratings import Floats, Ints, Rows

# how well a word fits that is written in one, is the movie's year, is not ended, or has a typo
JOINED, YEAR, BEGUN, TYPO = 0.9, 0.8, 0.75, 0.6
WHOLE_NAME, POPULARITY = 0.25, 0.5
CUT = 0.5  # of what the best name has of the query; movies with less are not shown
SHORTEST_TYPO = 4  # letters of a word in which a typo is looked for
MOST_WORDS = 16
TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class TitleIndex:
    """An index of the n names of f movies by their w words.

    Attributes:
        start, name: the names that have each word, as CSR, int64 [w + 1] and int32.
        weight: the sum of the idf of each name's words, float32 [n].
        first: the first name of each movie; a movie's names are together, int64 [f].
        popularity: of each movie, 0 to 1, float32 [f].
    """

    vocabulary: Vocabulary
    start: npt.NDArray[np.int64]
    name: Ints
    weight: Floats
    first: Rows
    popularity: Floats

    def search(self, text: str) -> tuple[Rows, Floats]:
        """The movies that somebody may mean who types this, ascending, and their scores."""
        words = query_words(text)[:MOST_WORDS]
        found, whole = np.zeros(len(self.weight), np.float32), np.float32(TINY)
        for place in range(len(words)):
            fit, idf = self._fit(words, place)
            found += idf * fit
            whole += idf
        of_query = found / whole
        most = np.maximum.reduceat(of_query, self.first)
        rows = np.flatnonzero(most >= max(CUT * most.max(initial=0), TINY))
        of_name = WHOLE_NAME * np.minimum(found / self.weight, 1)
        return rows, np.maximum.reduceat(of_query + of_name, self.first)[rows] + POPULARITY * self.popularity[rows]

    def _fit(self, words: Sequence[str], place: int) -> tuple[Floats, np.float32]:
        """How well each name has a word of the query [n], and the idf of the word."""
        fit, count = np.zeros(len(self.weight), np.float32), 0
        for quality, having in sorted(self._matches(words, place), key=lambda match: match[0]):
            fit[having] = quality  # the better one comes later and stands
            count = len(having) or count  # the names that have it best: a word with a typo is in none
        return fit, np.float32(_idf(len(fit), count))

    def _matches(self, words: Sequence[str], place: int) -> Iterator[tuple[float, Ints]]:
        """(how well, the names that have it so) for each way in which a word of the query can be meant."""
        word, known = words[place], self.vocabulary
        yield 1.0, self._having(known.exactly(word))
        yield YEAR, self._having(known.exactly(_year(word)))
        for one, other in pairwise(words[max(place - 1, 0) : place + 2]):
            yield JOINED, self._having(known.exactly((one + other)[:LONGEST]))
        if place == len(words) - 1:
            yield BEGUN, self._having(known.beginning(word))
        if len(word) >= SHORTEST_TYPO and not word.isdecimal():
            meant = [self._having(slice(row, row + 1)) for row in known.within_one_edit(word)]
            yield TYPO, np.concatenate([self.name[:0], *meant])

    def _having(self, words: slice) -> Ints:
        """The names with these words; one with several of them comes several times."""
        return self.name[self.start[words.start] : self.start[words.stop]]


def build_title_index(titles: Sequence[str], years: Sequence[int], rating_counts: Ints) -> TitleIndex:
    """Make the index of these movies; each name of a movie has its year, unless it is 0, beside its words."""
    numbers: dict[str, int] = {}
    number, name, own, first, n = [], [], [], [], 0
    for title, year in zip(normalize_titles(titles), years, strict=True):
        first.append(n)
        for one in names(title):
            words, also = name_words(one)
            also |= {_year(year)} if year else set()
            number += [numbers.setdefault(word, len(numbers)) for word in (*words, *also)]
            name += [n] * (len(words) + len(also))
            own += [True] * len(words) + [False] * len(also)
            n += 1
    vocabulary = Vocabulary.of(numbers)
    place = np.empty(len(numbers), np.intp)
    place[[numbers[word] for word in vocabulary.words]] = np.arange(len(numbers))
    of_word, of_name = place[number], np.array(name, np.int32)
    having = np.bincount(of_word, minlength=len(numbers))
    weight = np.bincount(of_name, _idf(n, having)[of_word] * np.array(own, bool), minlength=n)
    return TitleIndex(
        vocabulary,
        np.concatenate([[0], np.cumsum(having)]),
        of_name[np.argsort(of_word, kind="stable")],
        np.maximum(weight, TINY).astype(np.float32),
        np.array(first, np.intp),
        (np.log1p(rating_counts) / np.log1p(max(rating_counts.max(initial=0), 1))).astype(np.float32),
    )


def _year(year: int | str) -> str:
    """A movie's year as a word that nobody types: "2001: A Space Odyssey" comes before the movies of 2001."""
    return f" {year}"


def _idf(names: int, having: int | npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """How much a word tells: log(1 + names / names that have it)."""
    told: npt.NDArray[np.float64] = np.log1p(names / np.maximum(having, 1))
    return told

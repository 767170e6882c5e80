"""The words that there are, and those among them that somebody may mean by one with a typo."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalogue.title_words import LONGEST
from ranking.ratings import Rows

WIDTH = LONGEST + 2  # so that every word is followed by a place without a letter, and by one more
LAST_LETTER = "\U0010ffff"
Letters = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Vocabulary:
    """w words.

    Attributes:
        words: ascending; letters: their code points, filled up with 0, uint32 [w, WIDTH].
        backwards: the words read from their ends, ascending; row: which word each of these is [w].
    """

    words: Sequence[str]
    letters: Letters
    backwards: Sequence[str]
    row: Rows

    @classmethod
    def of(cls, words: Iterable[str]) -> "Vocabulary":
        ordered = sorted(words)
        backwards = sorted((word[::-1], row) for row, word in enumerate(ordered))
        return cls(
            ordered,
            _letters(ordered),
            [word for word, _ in backwards],
            np.array([row for _, row in backwards], np.intp),
        )

    def exactly(self, word: str) -> slice:
        """The row of a word; empty if it is none of these."""
        at = bisect_left(self.words, word)
        return slice(at, at + (self.words[at : at + 1] == [word]))

    def beginning(self, start: str) -> slice:
        """The rows of the words that begin so."""
        return _beginning(self.words, start)

    def within_one_edit(self, word: str) -> Rows:
        """Rows of the words that are this one but for a letter too many, one missing, one wrong or two exchanged.

        It has three letters at least.
        """
        # whatever went wrong left the first half as it was, or the last
        half = (len(word) - 1) // 2
        begin = self.beginning(word[:half])
        end = _beginning(self.backwards, word[::-1][:half])
        near = np.union1d(np.arange(begin.start, begin.stop), self.row[end])
        meant, typed = self.letters[near], _letters([word])[0]
        same = meant == typed
        wrong = WIDTH - same.sum(axis=1)
        first = np.argmin(same, axis=1)  # the first letter that differs
        exchanged = (wrong == 2) & _swapped(meant, typed, first)
        missing = first >= _equal_from(meant[:, 1:] == typed[:-1])
        too_many = first >= _equal_from(meant[:, :-1] == typed[1:])
        found: Rows = near[((wrong == 1) | exchanged | missing | too_many) & (wrong > 0)]
        return found


def _beginning(words: Sequence[str], start: str) -> slice:
    return slice(bisect_left(words, start), bisect_left(words, start + LAST_LETTER))


def _letters(words: Sequence[str]) -> Letters:
    return np.array(words, f"<U{WIDTH}").view(np.uint32).reshape(len(words), WIDTH)


def _swapped(meant: Letters, typed: Letters, first: Rows) -> npt.NDArray[np.bool_]:
    """Whether the letter at `first` and the next are those of `typed` the other way round."""
    row, after = np.arange(len(meant)), np.minimum(first + 1, WIDTH - 1)
    swapped: npt.NDArray[np.bool_] = (meant[row, first] == typed[after]) & (meant[row, after] == typed[first])
    return swapped


def _equal_from(same: npt.NDArray[np.bool_]) -> Rows:
    """The place in each row from which on everything is the same."""
    place: Rows = np.where(same.all(axis=1), 0, same.shape[1] - np.argmin(same[:, ::-1], axis=1))
    return place

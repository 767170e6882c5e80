"""Normalize titles and queries into ASCII words."""

import re
import string

from anyascii import anyascii

LETTERS = string.ascii_lowercase + string.digits  # the characters of words
NUMERALS = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}  # "v" and "x" are letters
RUN = re.compile(r"[a-z0-9]+(?:[^a-z0-9_\s]+[a-z0-9]+)*")  # "spider-man", "schindler's", "m*a*s*h"
PIECE = re.compile(r"[a-z0-9]+")
SYMBOLS = re.compile(r"\S+")
ALSO_KNOWN_AS = re.compile(r"^a\.?\s?k\.?\s?a\.?\s")
PARENTHESES = re.compile(r"[()]")
OTHER_TITLES = re.compile(r"(?<=\S)(?<! Or)(\s*\([^()]*(\([^()]*\)[^()]*)*\))+$")
QUOTES = ("'", "\u2019")
ARTICLES = (
    "A|An|The|Das|Der|Die|Ein|Eine|Den|Det|De|Het|Een|En|Ett|El|La|Las|Los|Un|Una|Uno|Une|Le|Les|L['\u2019]|Il|Lo|I|Gli"
    "|O|Os|As"
)
ARTICLE_LAST = re.compile(rf"(.+), ({ARTICLES})", re.IGNORECASE)


def display_title(title: str) -> str:
    """Return a title for display: "Shawshank Redemption, The" becomes "The Shawshank Redemption".

    Alternative titles, which MovieLens adds in parentheses, are dropped.
    """
    main = OTHER_TITLES.sub("", title)
    found = ARTICLE_LAST.fullmatch(main)
    if found is None:
        return main
    name, article = found.groups()
    return f"{article}{'' if article.endswith(QUOTES) else ' '}{name}"


def normalize(text: str) -> str:
    """Return the text in lower-case ASCII: "Amélie" and "AMELIE" are both "amelie"."""
    return anyascii(text).lower()


def query_words(text: str) -> list[str]:
    """Return the distinct words of a query in order."""
    plain = normalize(text)
    return list(dict.fromkeys(_word(word) for word in PIECE.findall(plain) or SYMBOLS.findall(plain)))


def title_pieces(title: str) -> list[str]:
    """Return the words of a normalized title, with Roman numerals as digits; "schindler's" is one word."""
    return [_word(piece) for piece in PIECE.findall(title.replace("'", ""))]


def names(title: str) -> list[str]:
    """Return the names in a normalized title: "life is beautiful (la vita e bella)" has two."""
    return [ALSO_KNOWN_AS.sub("", name.strip()) for name in PARENTHESES.split(title) if name.strip()] or [title]


def name_words(name: str) -> tuple[set[str], set[str]]:
    """Return the words of a normalized name, and its compounds, such as "spiderman" for "spider-man"."""
    words: set[str] = set()
    joined: set[str] = set()
    for run in RUN.findall(name):
        pieces = PIECE.findall(run)
        words.update(map(_word, pieces))
        if len(pieces) > 1:
            joined.add("".join(pieces))
    return words or set(SYMBOLS.findall(name)), joined - words


def one_edit(word: str) -> set[str]:
    """Return all words at one edit's distance: an insertion, a deletion, a substitution, or a swap of neighbours.

    A word of eight letters has 620 of them, whose lookup takes 50 microseconds.
    """
    cut = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    edits = {a + b[1:] for a, b in cut if b} | {a + b[1] + b[0] + b[2:] for a, b in cut if len(b) > 1}
    edits |= {a + letter + b[rest:] for a, b in cut for rest in (0, 1) for letter in LETTERS}
    return edits - {word}


def _word(piece: str) -> str:
    return NUMERALS.get(piece, piece)

"""Split MovieLens's titles, which end with the year in parentheses."""

import re

# A year, or a range of years, alone in parentheses: (1995), (2006–2007), (2006-07), (2011-), (2009– ).
YEAR = re.compile(r"\(([1-9][0-9]{3})(?:\s*[-\u2013\u2014]\s*[0-9]{0,4}\s*)?\)")
# Blanks, and characters without a width: soft hyphens, marks of direction, byte order marks.
BLANK = r"[\s\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+"
AROUND = re.compile(f"^{BLANK}|{BLANK}$")


def title_and_year(text: str) -> tuple[str, int | None]:
    """Split "Heat (1995)" into ("Heat", 1995): the last year in parentheses, of a range the first.

    A title that is nothing but its year keeps it. Blank and invisible characters around the title are removed.
    """
    years = list(YEAR.finditer(text))
    if not years:
        return _trim(text), None
    last = years[-1]
    title = _trim(f"{_trim(text[: last.start()])} {_trim(text[last.end() :])}")
    return title or _trim(text), int(last.group(1))


def _trim(text: str) -> str:
    return AROUND.sub("", text)

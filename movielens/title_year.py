"""Split MovieLens's titles, which end with the year in parentheses."""

import re
import unicodedata

# A year, or a range of years, alone in parentheses: (1995), (2006–2007), (2006-07), (2011-), (2009– ).
YEAR = re.compile(r"\(([1-9][0-9]{3})(?:\s*[-\u2013\u2014]\s*[0-9]{0,4}\s*)?\)")
# White space, and characters of format, which have no width: soft hyphens, marks of direction, byte order marks.
BLANK = "\ufeff" + "".join(c for c in map(chr, range(0x3001)) if c.isspace() or unicodedata.category(c) == "Cf")


def title_and_year(text: str) -> tuple[str, int | None]:
    """Split "Heat (1995)" into ("Heat", 1995): the last year in parentheses, of a range the first.

    A title that is nothing but its year keeps it. Blank and invisible characters around the title are removed.
    """
    years = list(YEAR.finditer(text))
    if not years:
        return text.strip(BLANK), None
    last = years[-1]
    title = f"{text[: last.start()].strip(BLANK)} {text[last.end() :].strip(BLANK)}".strip(BLANK)
    return title or text.strip(BLANK), int(last.group(1))

"""Titles as MovieLens prints them, with the year in parentheses."""

import re

# A year, or a range of years, alone in parentheses: (1995), (2006–2007), (2006-07), (2011-), (2009– ).
YEAR = re.compile(r"\(([1-9][0-9]{3})(?:\s*[-\u2013\u2014]\s*[0-9]{0,4}\s*)?\)")


def title_and_year(text: str) -> tuple[str, int | None]:
    """Split "Heat (1995)" into ("Heat", 1995): the last year in parentheses, of a range the first.

    Without a year the title comes back as it is. A title that is nothing but its year keeps it.
    """
    years = list(YEAR.finditer(text))
    if not years:
        return text, None
    last = years[-1]
    title = f"{text[: last.start()].rstrip()} {text[last.end() :].lstrip()}".strip()
    return title or text.strip(), int(last.group(1))

"""Numbers beside the noun that they count."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is one: "1 user", "2,000 users"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

"""Files of settings: NAME=VALUE lines, as in .env."""

import logging
from pathlib import Path

from dotenv import dotenv_values


def read_settings_file(file: Path) -> dict[str, str]:
    """Return the settings in a file; none where there is no such file. Raises `ValueError` if it cannot be read."""
    try:
        return {name: value for name, value in dotenv_values(file, encoding="utf-8-sig").items() if value is not None}
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from error


def read_params(file: Path, known: set[str]) -> dict[str, str]:
    """Return the settings in a file that `matinee tune` has written; anything else in it raises `ValueError`."""
    logging.getLogger("dotenv").setLevel(logging.ERROR)  # its warning of each strange line: the refusal says enough
    given = read_settings_file(file)
    if not given or not given.keys() <= known:
        strange = ", ".join(sorted(given.keys() - known)[:3])
        raise ValueError(f"{file} is not a file of settings as tune writes it" + (strange and f": {strange}"))
    return given

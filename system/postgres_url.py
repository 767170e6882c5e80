"""The URL of a PostgreSQL, read by libpq's rules. No message repeats a part of it: any part may be the password."""

import re
from urllib.parse import parse_qsl, quote, unquote_to_bytes

import psycopg2
from psycopg2.extensions import parse_dsn

FORM = "a URL like postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
SCHEME = re.compile(r"(?:postgres|postgresql)(?:\+psycopg2)?://(.*)", re.ASCII)
UNKNOWN_PARAMETER = re.compile(r'invalid URI query parameter: "(\w+)"', re.ASCII)
NUMBER = re.compile(r"\d{1,9}", re.ASCII)
NUMERIC = (
    "connect_timeout",
    "tcp_user_timeout",
    *(f"keepalives{part}" for part in ("", "_idle", "_interval", "_count")),
)
LAST_PORT = 65535
LIBPQ_VARIABLE = re.compile(r"PG[A-Z]{3,}")  # in the environment: PGSERVICE, PGSSLMODE and their like


def parse_postgres_url(url: str) -> dict[str, str]:
    """Return libpq's connection parameters of a URL.

    A password may hold any character but "@", as SQLAlchemy reads it: libpq itself would end it at "/" or "?".

    Raises:
        ValueError: the URL cannot work; the message says what to give instead.
    """
    found = SCHEME.fullmatch(url)
    if found is None or any(character < " " for character in url):
        raise ValueError(FORM)
    user_part, at, rest = found[1].rpartition("@")
    if "@" in user_part:
        raise ValueError(f'{FORM}, with every "@" in USER and PASSWORD written as %40')
    name, colon, password = user_part.partition(":")
    user_info = quote(_decode(name), safe="") + colon + quote(_decode(password), safe="") + at
    try:
        parameters: dict[str, str] = parse_dsn(f"postgresql://{user_info}{rest}")
    except psycopg2.ProgrammingError as error:
        raise ValueError(_advice(str(error))) from None
    _check_values(parameters, rest)
    return parameters


def without_secrets(url: str) -> str:
    """Return a URL that `parse_postgres_url` reads without its password and parameters."""
    user, at, rest = url.partition("://")[2].rpartition("@")
    return f"postgresql://{user.partition(':')[0]}{at}{rest.partition('?')[0]}"


def _decode(text: str) -> str:
    """Return a user name or password with its percent codes resolved; a lone "%" stands for itself."""
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{FORM}, with percent codes of UTF-8") from None
    if "\0" in decoded:
        raise ValueError(f"{FORM}, without %00")
    return decoded


def _check_values(parameters: dict[str, str], rest: str) -> None:
    """Refuse values that libpq refuses only when it connects, or takes and ignores."""
    names = [name for name, _ in parse_qsl(rest.partition("?")[2], keep_blank_values=True)]
    if len(names) > len(set(names)):
        raise ValueError(f"{FORM}, with each parameter once; several hosts are HOST1:PORT1,HOST2:PORT2")
    for port in parameters.get("port", "").split(","):
        if port and not (NUMBER.fullmatch(port) and 0 < int(port) <= LAST_PORT):
            raise ValueError(f'{FORM}; the port is a number, and a "/" or ":" in PASSWORD needs an "@HOST" after it')
    for name in NUMERIC:
        if not NUMBER.fullmatch(parameters.get(name, "0")):
            raise ValueError(f"{FORM}; its {name} is a whole number")


def _advice(refusal: str) -> str:
    """Return what to give, from libpq's refusal, of which only the name of a parameter is repeated."""
    unknown = UNKNOWN_PARAMETER.search(refusal)
    if unknown is None:
        return FORM
    if unknown[1].lower() in ("schema", "currentschema", "search_path"):
        return f"{FORM}; libpq has no parameter {unknown[1]}: name a schema with options=-csearch_path%3DNAME"
    return f"{FORM}; libpq has no parameter {unknown[1]}: leave it out"

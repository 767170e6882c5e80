"""Parsers of settings: each takes a text and returns its value, or raises a ValueError that says what to give."""

import ipaddress
import re
import shlex
from collections.abc import Callable

HOST_NAME = r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]"
ADDRESS = r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}"
HEAP = re.compile(r"([1-9]\d{0,9})([kmgt])", re.ASCII | re.IGNORECASE)
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
LEAST_HEAP, MOST_HEAP = 512 << 20, 4 << 40  # Spark refuses less than 450 MiB; no JVM reserves much more


def matching(pattern: str, expected: str) -> Callable[[str], str]:
    """Return a parser of a text that matches a pattern."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(expected)
        return text

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser of one of these words."""
    return matching("|".join(choices), f"one of {', '.join(choices)}")


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of a whole number in a range."""

    def parse(text: str) -> int:
        if not (text.strip().isdecimal() and len(text) < 20 and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """Return a parser of a number in a range."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return value

    return parse


def each_matching(pattern: str, expected: str) -> Callable[[str], str]:
    """Return a parser of texts with commas between them, which it returns in small letters."""

    def parse(text: str) -> str:
        names = [name.strip().lower() for name in text.split(",")]
        if not all(re.fullmatch(pattern, name) for name in names):
            raise ValueError(expected)
        return ",".join(names)

    return parse


key = matching(r"[!-~]{16,512}", "16 to 512 letters, digits and signs of ASCII, without a space")
rate = matching(
    r"off|[1-9]\d{0,8}/(second|minute|hour|day)",
    "a number of requests and a time, like 600/minute (second, minute, hour, day), or off",
)
spark_master = matching(
    rf"local(\[(\*|[1-9]\d{{0,3}})(,[1-9]\d{{0,3}})?\])?|spark://{ADDRESS}(,{ADDRESS})*|yarn|k8s://\S+"
    r"|local-cluster\[[1-9]\d*,[1-9]\d*,[1-9]\d*\]",
    "a Spark master: local[*], local[2], spark://HOST:PORT, yarn or k8s://URL",
)
host_names = each_matching(HOST_NAME, "names or addresses without a port, like movies.example,192.168.1.5,[fd00::5]")
origins = each_matching(
    rf"https?://({HOST_NAME})(:[0-9]{{1,5}})?",
    "origins, like https://movies.example,http://localhost:3000, without a path and without *",
)


def postgres_url(text: str) -> str:
    """Return a URL that libpq can use."""
    from system.postgres_url import parse_postgres_url  # here: Spark's executors read settings without psycopg2

    parse_postgres_url(text)
    return text


def listening_host(text: str) -> str:
    """Return a host name or an address, an IPv6 address without the brackets that it has in a URL."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        ipaddress.ip_address(bare)
    except ValueError as error:
        if not re.fullmatch(HOST_NAME, bare.lower()):
            expected = "a name or an address without a port, like 127.0.0.1 or ::1; MATINEE_PORT sets the port"
            raise ValueError(expected) from error
    return bare


def url_prefix(text: str) -> str:
    """Return the path of a prefix, without a slash at its end; empty for "/"."""
    return matching(r"(/[A-Za-z0-9._~-]+)*", "a path like /matinee")(text.rstrip("/"))


def networks(text: str) -> str:
    """Return addresses as networks, with commas."""
    try:
        return ",".join(str(ipaddress.ip_network(part.strip())) for part in text.split(","))
    except ValueError as error:
        raise ValueError("addresses or networks, like 127.0.0.1,10.0.0.0/8,::1") from error


def spark_conf(text: str) -> str:
    """Return words of the form spark.name=value."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = [text]
    if not all(re.fullmatch(r"spark\.[\w.-]+=.*", word, re.ASCII) for word in words):
        raise ValueError('words like spark.driver.port=7078, with quotes around one that has a space: "spark.x=a b"')
    return text


def heap_size(text: str) -> str:
    """Return the size of a JVM's heap in Java's form."""
    if not LEAST_HEAP <= heap_bytes(text) <= MOST_HEAP:
        raise ValueError("a size from 512m to 4t: a whole number and m, g or t without a space, like 2g")
    return text


def heap_bytes(text: str) -> int:
    """Return the bytes of a heap size; 0 if the text is none."""
    size = HEAP.fullmatch(text)
    return int(size[1]) * UNITS[size[2].lower()] if size else 0

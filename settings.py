"""Declare every setting of Matinee: its name, default, parser and one sentence of help.

Only this module reads settings from the environment and ``.env``; the environment wins. A bad value raises
`SettingsError`, which names the setting and the values it takes.
"""

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from system.setting_values import (
    heap_size,
    host_names,
    key,
    listening_host,
    networks,
    number,
    one_of,
    origins,
    postgres_url,
    rate,
    spark_conf,
    spark_master,
    url_prefix,
    whole,
)

ROOT = Path(__file__).resolve().parent
USER_OFFSET = 1_000_000  # added to the ids of Matinee's users in training; MovieLens's ids are below it
LAST_USER_ID = 2**31 - 1 - USER_OFFSET  # so that the id plus the offset fits in an int32
T = TypeVar("T")


class OperatorError(Exception):
    """An error that an operator can fix. Programs print its message as one line, without a traceback."""


class SettingsError(OperatorError, ValueError):
    """A setting has a value that cannot be used."""


def setting(default: T, parse: Callable[[str], T], help: str, *, name: str = "", secret: bool = False) -> T:
    """Declare a setting as a dataclass field; the value of a secret one is never shown.

    Without a name, the setting is called MATINEE_ and the name of the field in capitals.
    """
    metadata = {"name": name, "parse": parse, "help": help, "secret": secret}
    declared: T = field(default=default, repr=not secret, metadata=metadata)
    return declared


def folder(text: str) -> Path:
    """Return a path; a relative one is resolved from the project's folder, not from the working directory."""
    try:
        return (ROOT / Path(text).expanduser()).resolve()
    except RuntimeError:
        raise ValueError("a path without ~: this account has no home folder") from None


def folder_or_url(text: str) -> str:
    """Return a URL unchanged, and a path as `folder` does."""
    return text if "://" in text else str(folder(text))


@dataclass(frozen=True)
class ModelSettings:
    """Hyperparameters of training and ranking; each generation stores the values it was trained with."""

    like_threshold: float = setting(3.5, number(0.5, 5), "The lowest rating that counts as a like.")
    ranker_rank: int = setting(
        64, whole(1, 512), "Dimensions of the ranker's factors; 96 from 500,000 ratings on, 32 from 5 million on."
    )
    ranker_reg: float = setting(0.06, number(0, 100), "Regularization of the ranker; 0.1 from 500,000 ratings on.")
    ranker_alpha: float = setting(0.2, number(0, 1000), "Confidence of one like; 1 from 500,000 ratings on.")
    ranker_iterations: int = setting(10, whole(1, 100), "ALS iterations of the ranker; 4 from 2 million ratings on.")
    rater_rank: int = setting(32, whole(1, 512), "Dimensions of the rater's factors; 16 from 2 million ratings on.")
    rater_reg: float = setting(0.15, number(0, 100), "Regularization of the rater.")
    rater_iterations: int = setting(10, whole(1, 100), "ALS iterations of the rater; 4 from 2 million ratings on.")
    neighbours: int = setting(100, whole(0, 1000), "Neighbours of a movie; 0: no neighbour model.")
    neighbour_reg: float = setting(
        200.0, number(1e-6, 1e6), "Ridge of the neighbour fit; doubled where ratings have times."
    )
    noise: float = setting(0.1, number(1e-6, 100), "Variance s2 of a like in the MAP fold-in; less under 10 ratings.")
    plain_weight: float = setting(0.85, number(0, 1), "Highest weight of the plain fold-in; 1 from 500,000 ratings on.")
    plain_exponent: float = setting(1.5, number(0, 10), "How late it gets that weight; 1 from 500,000 ratings on.")
    neighbour_weight: float = setting(1.25, number(0, 10), "Highest weight of the neighbours.")
    min_ratings: int = setting(25, whole(0, 100000), "Movies with fewer ratings are ranked last.")
    half_life_days: float = setting(365.0, number(1, 36500), "Half-life of a like in recent popularity.")
    popularity_weight: float = setting(2.0, number(0, 10), "Weight of recent popularity for a user with few ratings.")
    recency_exponent: float = setting(0.5, number(0, 3), "Decay of old ratings in the neighbour model; 0: none.")
    seed: int = setting(42, whole(0, 2**31 - 1), "Seed of both ALS fits.")


# Defaults by the least number of ratings. ALS costs ratings x rank^2 x iterations; the larger the dataset, the less
# quality a smaller rank or fewer iterations lose.
BY_SIZE: tuple[tuple[int, dict[str, Any]], ...] = (
    (500_000, {"ranker_rank": 96, "ranker_reg": 0.1, "ranker_alpha": 1.0, "plain_weight": 1.0, "plain_exponent": 1.0}),
    (2_000_000, {"ranker_iterations": 4, "rater_rank": 16, "rater_iterations": 4}),
    (5_000_000, {"ranker_rank": 32}),
)
LARGE_FROM, LARGE_HEAP = 10_000_000, "3g"


@dataclass(frozen=True)
class Settings:
    """The settings of the service and the commands."""

    host: str = setting("127.0.0.1", listening_host, "The address to listen on.")
    port: int = setting(5430, whole(1, 65535), "The port to listen on.")
    threads: int = setting(10, whole(1, 200), "Threads that answer requests, in each process.")
    processes: int = setting(1, whole(1, 64), "Processes that answer requests.")
    state_dir: Path = setting(ROOT / "var", folder, "Folder of the embedded database, the datasets and Spark's files.")
    database_url: str = setting(
        "", postgres_url, "URL of a PostgreSQL database; unset: the embedded one.", name="DATABASE_URL", secret=True
    )
    dataset: str = setting("", str, "A MovieLens dataset, by name or folder; unset: ml-latest-small.")
    retrain_minutes: float = setting(12.0, number(0, 525600), "Minutes between training runs; 0: only on request.")
    training_minutes: float = setting(60.0, number(0.01, 10080), "Minutes after which a training run fails.")
    spark_idle_minutes: float = setting(30.0, number(0, 525600), "Minutes until an idle Spark ends; 0: at once.")
    spark_master: str = setting("local[*]", spark_master, "The Spark master.")
    spark_driver_memory: str = setting("2g", heap_size, "Heap of the Spark driver; 3g from 10 million ratings on.")
    # secret, because a URL may hold a key, and spark.authenticate.secret is one of Spark's settings
    spark_storage: str = setting(
        "", folder_or_url, "A folder or URL that driver and executors share; unset: the state folder.", secret=True
    )
    spark_conf: str = setting(
        "", spark_conf, "Spark's own settings: spark.driver.port=7078 spark.executor.memory=4g.", secret=True
    )
    spark_wait_seconds: float = setting(120.0, number(1, 86400), "How long a training run waits without any executor.")
    spark_python: str = setting(
        "", str, "The Python of a Spark cluster's executors; unset: the service's path.", name="PYSPARK_PYTHON"
    )
    keep_generations: int = setting(5, whole(1, 1000), "Accepted generations kept for a rollback.")
    impressions: int = setting(1, whole(0, 1), "0: do not record which lists users are shown.")
    impression_days: int = setting(90, whole(8, 36500), "Days for which impressions are kept.")
    explore: float = setting(0.0, number(0, 1), "Probability that a place in a list goes to a movie with few ratings.")
    log_level: str = setting("INFO", one_of("DEBUG", "INFO", "WARNING", "ERROR"), "The lowest level that is logged.")
    log_format: str = setting("text", one_of("text", "json"), "The format of log lines.")
    api_key: str = setting("", key, "The key that clients must send; unset: none.", secret=True)
    admin_key: str = setting("", key, "The key of the admin routes; unset: they answer on loopback only.", secret=True)
    token: str = setting("", key, "The user's token that `matinee mcp` sends; unset: MATINEE_API_KEY.", secret=True)
    user_tokens: int = setting(0, whole(0, 1), "1: the routes of a user require that user's token, or a key.")
    cors_origins: str = setting(
        "", origins, "Origins whose pages may call /api/v1, such as https://a.example,https://b.example."
    )
    allow_open: int = setting(0, whole(0, 1), "1: listen on a network without a key, for everyone who can reach it.")
    allowed_hosts: str = setting("", host_names, "Accepted host names beside localhost, separated by commas.")
    url_prefix: str = setting("", url_prefix, "The path under which a proxy serves Matinee, like /matinee.")
    trusted_proxies: str = setting("", networks, "Addresses of trusted proxies (X-Forwarded-For, -Proto); unset: none.")
    rate_limit: str = setting("", rate, "Requests that a client may make, or off; unset: 3000/minute, off on loopback.")
    model: ModelSettings = field(default_factory=ModelSettings)
    explicitly_set: frozenset[str] = field(default=frozenset(), compare=False)  # the fields that were set

    def model_for(self, ratings: int) -> ModelSettings:
        """Return the model settings for this number of ratings; `BY_SIZE` fills in what the operator has not set."""
        by_size = {k: v for least, values in BY_SIZE if ratings >= least for k, v in values.items()}
        return replace(self.model, **{k: v for k, v in by_size.items() if k not in self.explicitly_set})

    def heap_for(self, ratings: int) -> str:
        """Return the heap of a driver that trains on this number of ratings."""
        by_default = "spark_driver_memory" not in self.explicitly_set
        return LARGE_HEAP if by_default and ratings >= LARGE_FROM else self.spark_driver_memory

    @property
    def loopback(self) -> bool:
        """Return whether only this machine can reach the address to listen on."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a host name; only localhost is certain to mean this machine
            return self.host.lower() == "localhost"


def setting_name(declared: Field[Any]) -> str:
    """Return the name of the setting that a field declares."""
    return declared.metadata["name"] or f"MATINEE_{declared.name.upper()}"


def setting_rows() -> list[tuple[str, Any, str]]:
    """Return the table of settings as (name, default, help), in the order of the declarations."""
    declared = [f for f in (*fields(Settings), *fields(ModelSettings)) if f.metadata]
    return [(setting_name(f), f.default, f.metadata["help"]) for f in declared]


def load(environ: Mapping[str, str] = os.environ, dotenv: Path = ROOT / ".env", params: Path | None = None) -> Settings:
    """Return the settings; those in the file `params`, which `matinee tune` writes, override all others.

    Raises `SettingsError`, which names every bad value.
    """
    from system.settings_file import read_params, read_settings_file  # here: Spark's executors have no dotenv

    known = {row[0] for row in setting_rows()}
    try:
        texts = read_settings_file(dotenv) | dict(environ)
        if params is not None:
            texts |= read_params(params, known)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    problems: list[str] = []
    model, own = _parsed(ModelSettings, texts, problems), _parsed(Settings, texts, problems)
    settings = Settings(model=ModelSettings(**model), explicitly_set=frozenset(model | own), **own)
    problems += [
        f"{name} is not a setting of Matinee"
        for name in sorted(texts)
        if name.startswith("MATINEE_") and name not in known
    ]
    if problems:
        raise SettingsError("; ".join(problems))
    return settings


def dump(model: ModelSettings) -> str:
    """Return model settings as lines of a file that `load` takes as `params`."""
    return "".join(f"{setting_name(f)}={getattr(model, f.name)}\n" for f in fields(model))


def _parsed(table: type, texts: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    values = {}
    for f in (f for f in fields(table) if f.metadata):
        text = texts.get(setting_name(f), "")
        if text.strip():
            try:
                values[f.name] = f.metadata["parse"](text.strip())
            except ValueError as error:
                shown = "" if f.metadata["secret"] else f"={text!r}"
                problems.append(f"{setting_name(f)}{shown}: give {error}")
    return values

"""Experiments: arms, the assignment of users to arms, and team-draft interleaving."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from random import Random

from settings import ModelSettings, OperatorError

TODAY = "today"
# settings that take effect when a list is computed; all others take effect in training and need another generation
SCORE_SETTINGS = (
    "plain_weight", "plain_exponent", "neighbour_weight", "popularity_weight", "recency_exponent", "noise",
    "min_ratings",
)  # fmt: skip
WHAT_ARMS_ARE = (
    f"An arm is {TODAY} (the live generation), a generation like G17, or a setting of the score like "
    f"neighbour_weight=0.8; those are {', '.join(SCORE_SETTINGS)}."
)


class ExperimentError(OperatorError, ValueError):
    """The experiment cannot be started; the message says why."""


@dataclass(frozen=True)
class Experiment:
    """An experiment, running or about to start.

    Attributes:
        arms: the names of the arms, the control first; `ended`: the arms that no longer serve users.
        share: the percentage of users who participate.
        interleave: whether each list interleaves both arms.
        salt: makes the assignment independent of other experiments.
    """

    name: str
    arms: tuple[str, ...]
    share: int
    interleave: bool
    salt: str
    ended: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"experiment {self.name} runs with {self.share} % of the users: {', '.join(self.arms)}"

    @property
    def changed(self) -> list[str]:
        """Return the arms that change a setting; they are evaluated on held-out users before they serve anyone."""
        return [arm for arm in self.arms if "=" in arm]

    def check(self) -> None:
        """Raise `ExperimentError` if the experiment is invalid in itself."""
        if len(self.arms) < 2 or len(set(self.arms)) < len(self.arms):
            raise ExperimentError("Give at least two different arms, the control first.")
        if self.interleave and len(self.arms) != 2:
            raise ExperimentError("An interleaved experiment has exactly two arms.")
        for arm in self.arms:
            generation_of(arm)
            model_of(arm, ModelSettings())

    def arm_of(self, user_id: int) -> str | None:
        """Return the arm of a user, the control if lists are interleaved; None if the user does not participate.

        The arm is a hash of the user id and the salt, so all processes agree, also after a restart.
        """
        digest = blake2b(f"{self.salt} {user_id}".encode(), digest_size=16).digest()
        takes_part, which = int.from_bytes(digest[:8]), int.from_bytes(digest[8:])
        if takes_part * 100 >= self.share << 64:
            return None
        arm = self.arms[0 if self.interleave else which * len(self.arms) >> 64]
        return None if arm in self.ended else arm


def generation_of(arm: str) -> int | None:
    """Return the id of the generation that an arm names; None if the arm uses the live generation."""
    if arm[:1] == "G" and arm[1:].isascii() and arm[1:].isdigit() and len(arm) <= 10:
        return int(arm[1:])
    return None


def model_of(arm: str, model: ModelSettings) -> ModelSettings:
    """Return model settings with the change that an arm makes. Raises `ExperimentError` for an invalid arm."""
    name, equals, value = arm.partition("=")
    if not equals:
        if arm != TODAY and generation_of(arm) is None:
            raise ExperimentError(f"{arm[:50]!r} is not an arm. {WHAT_ARMS_ARE}")
        return model
    if name not in SCORE_SETTINGS:
        raise ExperimentError(f"{name[:50]!r} is not a setting of the score. {WHAT_ARMS_ARE}")
    parse = next(field.metadata["parse"] for field in fields(ModelSettings) if field.name == name)
    try:
        return replace(model, **{name: parse(value)})
    except ValueError as error:
        raise ExperimentError(f"{arm[:50]!r}: give {error}.") from error


def team_draft(first: Sequence[int], second: Sequence[int], n: int, seed: str) -> list[tuple[int, int]]:
    """Return up to n movies of two lists as (movie, team), team 0 or 1.

    The team with fewer movies picks next, and a coin decides ties. A team picks the first movie of its list that is not
    picked yet: Radlinski, Kurup and Joachims, CIKM 2008, algorithm 2.
    """
    coin, lists = Random(seed), (iter(first), iter(second))  # noqa: S311 - no secret
    drafted: dict[int, int] = {}
    size, over = [0, 0], [False, False]
    while len(drafted) < n and not all(over):
        team = coin.randrange(2) if size[0] == size[1] else int(size[1] < size[0])
        team = 1 - team if over[team] else team
        movie = next((movie for movie in lists[team] if movie not in drafted), None)
        if movie is None:
            over[team] = True
        else:
            drafted[movie] = team
            size[team] += 1
    return list(drafted.items())

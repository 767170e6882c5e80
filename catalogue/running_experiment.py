"""The running experiment with the generations of its arms in memory."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from catalogue.live_generation import Arm, LiveGeneration, new_cache
from catalogue.movie_table import MovieTable
from ranking.experiment import Experiment, generation_of, model_of
from ranking.ranker import Ranker


@dataclass(frozen=True)
class RunningExperiment:
    """An experiment and the generation of each arm, based on the generation that was live at its creation."""

    experiment: Experiment
    live: LiveGeneration
    arms: dict[str, LiveGeneration]

    @classmethod
    def of(
        cls, experiment: Experiment, live: LiveGeneration, load: Callable[[int], LiveGeneration]
    ) -> "RunningExperiment":
        """Return an experiment with the generations of its arms; `load` returns a stored generation."""
        generations = {name: _arm(experiment, name, live, load) for name in experiment.arms}
        if experiment.interleave:
            control, other = (generations[name] for name in experiment.arms)
            control = replace(control, arm=replace(control.arm, versus=other, salt=experiment.salt))
            generations = {experiment.arms[0]: control}
        return cls(experiment, live, generations)

    def is_of(self, experiment: Experiment, live: LiveGeneration) -> bool:
        """Return whether the arms are based on this experiment and this live generation."""
        return self.experiment == experiment and self.live.id == live.id

    def generation_for(self, user_id: int) -> LiveGeneration | None:
        """Return the generation of a user's arm; None if the user does not participate."""
        arm = self.experiment.arm_of(user_id)
        return None if arm is None else self.arms[arm]

    def with_catalogue(self, catalogue: MovieTable) -> "RunningExperiment":
        """Return the same experiment for a newer version of the catalogue."""
        return replace(self, arms={name: arm.with_catalogue(catalogue) for name, arm in self.arms.items()})


def _arm(
    experiment: Experiment, name: str, live: LiveGeneration, load: Callable[[int], LiveGeneration]
) -> LiveGeneration:
    generation_id = generation_of(name)
    base = live if generation_id is None else load(generation_id)
    model = model_of(name, base.factors.model)
    changed = model != base.factors.model
    ranker = Ranker(replace(base.factors, model=model)) if changed else base.ranker
    arm = Arm(experiment.name, name, fixed=generation_id is not None, changed=changed)
    return replace(base, ranker=ranker, arm=arm, list_cache=new_cache())

"""Who is in which arm, what an arm may be, and the team draft."""

from collections import Counter

import pytest

from ranking.experiment import Experiment, ExperimentError, model_of, team_draft
from settings import ModelSettings


def test_arms_get_equal_parts_of_the_share_and_a_user_stays_in_one() -> None:
    experiment = Experiment("a", ("today", "G1", "G2"), 30, False, "salt")
    counts = Counter(experiment.arm_of(user) for user in range(30_000))
    assert counts[None] == pytest.approx(21_000, rel=0.03)
    assert [counts[arm] for arm in experiment.arms] == pytest.approx([3_000] * 3, rel=0.06)
    other = Experiment("b", ("today", "G1", "G2"), 30, False, "other salt")
    both = sum(None not in (experiment.arm_of(user), other.arm_of(user)) for user in range(30_000))
    assert both == pytest.approx(0.09 * 30_000, rel=0.1), "experiments are independent"


@pytest.mark.parametrize("arm", ["tomorrow", "G", "Gx", "ranker_rank=3", "neighbour_weight=x", "neighbour_weight=99"])
def test_what_is_no_arm_is_refused(arm: str) -> None:
    with pytest.raises(ExperimentError):
        Experiment("a", ("today", arm), 30, False, "salt").check()


def test_a_setting_is_changed_alone() -> None:
    assert model_of("neighbour_weight=0.8", ModelSettings()) == ModelSettings(neighbour_weight=0.8)


def test_each_team_drafts_the_best_that_is_left_and_both_get_half() -> None:
    first, second = [1, 2, 3, 4, 5, 6], [4, 1, 7, 8, 2, 9]
    firsts = 0
    for seed in range(2_000):
        drafted = team_draft(first, second, 6, str(seed))
        movies, teams = [movie for movie, _ in drafted], [team for _, team in drafted]
        assert len(set(movies)) == 6
        for place in (2, 4, 6):
            assert sum(teams[:place]) == place // 2
        for place, (movie, team) in enumerate(drafted):  # the obvious rule, place by place
            assert movie == next(each for each in (first, second)[team] if each not in movies[:place])
        firsts += teams[0]
    assert firsts == pytest.approx(1_000, rel=0.1)


def test_a_team_without_movies_leaves_the_rest_to_the_other() -> None:
    assert [movie for movie, _ in team_draft([1], [1, 2, 3, 4], 9, "x")] == [1, 2, 3, 4]

"""The line between two processes: both ends ask and answer, errors have a name, and an end is noticed."""

import threading
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from typing import Any

import pytest
from processes import poll

from system.line import FarError, Line, LineCutError

Ends = tuple[Line, Line]


class Answers:
    """What one end answers, and whether it has heard of the end of the line."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.cut = threading.Event()

    def __call__(self, question: str, *details: Any) -> Any:
        if question == "wait":
            assert self.release.wait(20)
        if question == "fail":
            raise OSError(28, "the disk is full")
        return question, details


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def ends(answers: Answers) -> Iterator[Ends]:
    near, far = Pipe()
    both = Line(near, answers, answers.cut.set), Line(far, answers, answers.cut.set)
    for end in both:
        end.open()
    yield both
    answers.release.set()
    both[0].close()


def test_each_end_asks_the_other_and_a_question_that_takes_long_holds_up_no_other(ends: Ends, answers: Answers) -> None:
    left, right = ends
    waited: list[Any] = []
    asking = threading.Thread(target=lambda: waited.append(left.ask("wait")))
    asking.start()
    assert left.ask("order", 7) == ("order", (7,))
    assert right.ask("begun", None) == ("begun", (None,))
    assert waited == []
    answers.release.set()
    asking.join()
    assert waited == [("wait", ())]


def test_an_error_comes_by_its_name_and_text(ends: Ends) -> None:
    with pytest.raises(FarError) as caught:
        ends[0].ask("fail")
    assert (caught.value.kind, str(caught.value)) == ("OSError", "OSError: [Errno 28] the disk is full")
    assert ends[0].ask("again") == ("again", ())


def cut_by_hanging_up(ends: Ends) -> None:
    ends[0].close()


def cut_by_the_other(ends: Ends) -> None:
    ends[1].close()


@pytest.mark.parametrize("cut", [cut_by_hanging_up, cut_by_the_other])
def test_whoever_waits_is_told_when_the_line_is_cut(cut: Callable[[Ends], None], ends: Ends, answers: Answers) -> None:
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            ends[0].ask("wait")
        except LineCutError as error:
            caught.append(error)

    asking = threading.Thread(target=wait)
    asking.start()
    cut(ends)
    asking.join(20)
    assert len(caught) == 1
    poll(answers.cut.is_set, 20, "the news of the end")
    with pytest.raises(LineCutError):
        ends[0].ask("again")


def test_a_question_for_which_there_is_no_thread_is_answered_with_an_error_and_the_next_one_as_ever(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refused)
        with pytest.raises(FarError, match="RuntimeError: can't start new thread"):
            ends[0].begin("order").result(20)
    assert ends[0].begin("again").result(20) == ("again", ())


class Unreadable:
    """What the other end cannot make anything of."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return int, ("nothing",)


def test_a_message_that_cannot_be_read_cuts_the_line_and_whoever_waits_is_told(
    ends: Ends, answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = ends[0].begin("wait")
    ends[0].begin("order", Unreadable())
    with pytest.raises(LineCutError):
        waiting.result(20)
    poll(answers.cut.is_set, 20, "the news of the end")
    assert "what came over the line could not be taken; it is cut" in caplog.text

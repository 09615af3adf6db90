"""The demonstration itself: the whole story, and that a wrong answer is told."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from ga_sync.demo import run
from ga_sync.demo.run import until_interrupted
from ga_sync.demo.stage import Stage
from ga_sync.demo.story import Mismatch, Story, require


@pytest.mark.timeout(200)
def test_the_whole_story_equals_the_truth() -> None:
    told: list[str] = []
    assert run(auto=True, to_the_end=True, port=0, tell=told.append), "\n".join(told)
    assert told[-1].endswith("nothing is left. Every answer was right.")


@pytest.mark.timeout(200)
def test_a_wrong_answer_is_told_and_fails() -> None:
    """A listener that spoils the truth before the first comparison."""
    told: list[str] = []

    def spoil(sentence: str) -> None:
        told.append(sentence)
        if "linked" in sentence:
            raise Mismatch("spoilt")

    assert not run(auto=True, to_the_end=True, port=0, tell=spoil)
    assert told[-1] == "WRONG: spoilt"


def test_require_raises_only_when_it_does_not_hold() -> None:
    require(1 + 1 == 2, "never said")
    with pytest.raises(Mismatch, match="said"):
        require(1 + 1 == 3, "said")


def test_a_stage_that_cannot_start_leaves_nothing() -> None:
    with Stage(port=0) as first:
        second = Stage(port=first.port)
        with pytest.raises(Exception, match="port"), second:
            pass
        assert not second.folder.exists()
        assert first.folder.exists()
    assert not first.folder.exists()


def test_a_customer_without_a_segment_of_that_size_is_invited_all_the_same() -> None:
    told: list[str] = []
    with Stage(port=0) as stage:
        story = Story(stage, told.append)
        story.consent_by_itself()
        story.link_and_sync()
        story.invite()
    assert any("curl" in sentence for sentence in told)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C reaches Python, also where the tests were started in the background."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_waiting() -> None:
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    until_interrupted()
    timer.join()

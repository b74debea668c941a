"""The state machine of a conversion, as a table and by its steps."""

from __future__ import annotations

import itertools

import pytest

from app.messages import ERRORS, STATES, error_text
from app.session import (
    BUSY,
    TRANSITIONS,
    Failure,
    Input,
    NotAllowed,
    Picture,
    Session,
    State,
)
from engine.errors import ErrorCode
from engine.hints import TextLine

PICTURE = Picture(b"png", 4, 3, "a")
OTHER = Picture(b"png2", 5, 3, "b")


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(clock: Clock) -> Session:
    session = Session(clock=clock)
    session.set_picture(PICTURE)
    return session


def test_every_state_can_be_reached_and_left() -> None:
    targets = set(TRANSITIONS.values()) | {State.EMPTY}
    sources = {state for state, _ in TRANSITIONS}
    assert targets == set(State)
    assert sources == set(State)


def test_every_busy_state_can_be_cancelled_and_can_fail() -> None:
    for state in BUSY:
        assert (state, Input.CANCEL) in TRANSITIONS
        assert TRANSITIONS[state, Input.CANCELLED] is State.CANCELLED
        assert TRANSITIONS[state, Input.FAILED] is State.FAILED


def test_what_is_not_in_the_table_is_refused() -> None:
    session = Session()
    assert not session.can_generate
    with pytest.raises(NotAllowed, match="begin while empty"):
        session.begin()
    with pytest.raises(NotAllowed):
        session.token("x")
    assert session.state is State.EMPTY
    assert session.run == 0


def test_every_state_and_error_has_a_text() -> None:
    assert set(STATES) == set(State)
    assert {code.value for code in ErrorCode} <= set(ERRORS)
    assert error_text("never heard of") is ERRORS["internal"]


def test_a_whole_conversion(session: Session, clock: Clock) -> None:
    seen: list[State] = []
    session.subscribe(lambda before, now: seen.append(now))
    session.begin()
    session.engine_loading(0.5)
    session.engine_ready("nano", "CPU", "no graphics device has room")
    session.encoding(0.2)
    assert session.progress == 0.2
    session.target_chosen("html", 0.9)
    clock.now += 1
    for text in ("<p>", "a", "</p>"):
        session.token(text)
        clock.now += 0.5
    session.done()
    distinct = [state for state, _ in itertools.groupby(seen)]
    assert distinct == [State.LOADING, State.ENCODING, State.GENERATING, State.DONE]
    assert session.result.answer == "<p>a</p>"
    assert session.result.tokens == 3
    assert session.result.tokens_per_second == pytest.approx(2.0)
    assert session.result.seconds == pytest.approx(2.5)
    assert session.elapsed == pytest.approx(2.5)
    assert (session.model, session.device) == ("nano", "CPU")
    assert session.device_note == "no graphics device has room"


def test_a_first_bundle_of_tokens_tells_no_rate(session: Session, clock: Clock) -> None:
    session.begin()
    for number in range(16):
        session.token("x", number % 4)
        clock.now += 0.0001
    assert session.result.tokens == 16 and session.result.tokens_per_second == 0.0
    clock.now += 1
    session.token("x")
    assert session.result.tokens_per_second == pytest.approx(16, rel=0.01)


def test_cancel_keeps_what_there_is_and_ignores_late_tokens(session: Session) -> None:
    session.begin()
    session.token("half")
    session.cancel()
    assert session.state is State.CANCELLING
    assert not session.can_cancel
    session.token(" late")
    session.encoding(1.0)
    session.cancelled()
    assert session.state is State.CANCELLED
    assert session.result.answer == "half"
    assert session.can_generate


def test_answer_that_was_complete_before_the_cancel_arrived(session: Session) -> None:
    session.begin()
    session.token("all")
    session.cancel()
    session.done()
    assert session.state is State.DONE


def test_comparing_is_a_state_of_its_own(session: Session) -> None:
    session.begin()
    session.token("one", 0)
    session.token("two", 1)
    session.comparing(1, 2)
    assert session.state is State.COMPARING
    assert (session.compared, session.progress) == ((1, 2), 0.0)
    assert session.can_cancel
    session.comparing(2, 2)
    assert session.progress == 0.5
    session.revised("two", "")
    assert session.state is State.COMPARING
    session.done()
    assert session.state is State.DONE
    assert session.result.answers.final == "two"


def test_what_is_written_again_after_a_comparison_is_generated(session: Session) -> None:
    session.begin()
    session.token("bad")
    session.comparing(1, 2)
    session.revised("", "it failed; trying again")
    assert session.state is State.GENERATING
    assert session.result.answer == ""
    session.token("good")
    session.comparing(2, 2)
    session.cancel()
    session.comparing(2, 2)  # too late
    session.cancelled()
    assert session.state is State.CANCELLED


def test_several_answers_are_watched_and_picked(session: Session) -> None:
    session.begin()
    session.token("one", 0)
    assert not session.watch(0)  # there is nothing to choose from
    session.token("two", 1)
    assert session.result.answer == "one"
    assert session.watch(1)
    assert not session.watch(7)
    assert session.result.answer == "two"
    assert session.result.answers.picked is None
    session.comparing(1, 2)
    assert session.watch(1)
    assert session.result.answers.picked == 1
    session.revised("one", "")
    assert session.result.answer == "two"
    assert session.result.answers.final == "one"


def test_comparing_follows_writing_or_what_writes_nothing() -> None:
    sources = {state for (state, given), to in TRANSITIONS.items() if given is Input.COMPARING}
    assert sources == {State.LOADING, State.GENERATING, State.COMPARING, State.CANCELLING}
    leaves = {to for (state, _), to in TRANSITIONS.items() if state is State.COMPARING}
    assert {State.DONE, State.CANCELLED, State.CANCELLING, State.FAILED} <= leaves


def test_failure_and_the_way_out(session: Session) -> None:
    session.begin()
    session.failed(Failure("worker_died", "It stopped.", "Try again."))
    assert session.state is State.FAILED
    assert session.failure is not None
    first = session.run
    assert session.begin() == first + 1
    assert session.failure is None
    assert session.result.answer == ""


def test_truncated_is_not_done(session: Session) -> None:
    session.begin()
    session.token("x")
    session.done(truncated=True, tokens=4096, per_second=30.0)
    assert session.state is State.TRUNCATED
    assert session.result.tokens == 4096
    assert session.result.tokens_per_second == 30.0


def test_picture_during_a_conversion_is_refused(session: Session) -> None:
    session.begin()
    with pytest.raises(NotAllowed, match="picture while loading"):
        session.set_picture(OTHER)
    assert session.picture is PICTURE
    session.cancel()
    session.cancelled()
    session.set_picture(OTHER)
    assert session.picture is OTHER
    assert session.state is State.READY


def test_another_version_comes_on_top_but_not_during_a_conversion(session: Session) -> None:
    session.begin()
    session.token("<p>a</p>")
    session.done()
    version = session.versions.add_run("conversion", "", "html", "<p>a</p>")[0]
    session.failure = Failure("internal", "x", "")
    session.show_version(version)
    assert session.state is State.DONE
    assert session.failure is None
    assert session.result.code == "<p>a</p>"
    session.begin("refine", "bluer")
    assert session.result.instruction == "bluer"
    with pytest.raises(NotAllowed):
        session.show_version(version)


def test_text_of_the_picture_goes_with_the_picture(session: Session) -> None:
    line = TextLine("Sign in", (0, 0, 9, 9), 1.0, (0, 0, 0), (255, 255, 255))
    session.text_read([line, line])
    assert session.words == "Sign in\nSign in"
    session.set_picture(OTHER)
    assert session.lines == ()
    assert session.words == ""


def test_new_picture_drops_the_old_result(session: Session) -> None:
    session.begin()
    session.token("old")
    session.done()
    session.edit("edited")
    assert session.result.edited
    session.set_picture(OTHER)
    assert session.result.code == ""
    assert session.state is State.READY


def test_chosen_target_is_known_from_the_start(session: Session) -> None:
    session.target = "matplotlib"
    session.begin()
    assert session.result.target == "matplotlib"

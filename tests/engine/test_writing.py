"""Several answers in one pass, and guessed tokens: both must leave every answer as it would be.

Rows computed together differ from single ones in the last bits (the cache holds 16-bit numbers, and
sums are added up in another order), so a near tie may fall either way: where answers part, the
model must have found both tokens equally likely.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from engine.cancel import CancelFlag
from engine.errors import ErrorCode, VisCodexError
from engine.images import ImageLimits
from engine.llama.branches import Branches
from engine.llama.draft import LONGEST, SHORTEST, Draft
from engine.llama.library import llama
from engine.llama.sampling import Sampler, Sampling
from engine.llama.session import MOST_BRANCHES, SessionOptions, VisionSession
from engine.llama.vision import picture_key
from engine.prompt import build_prompt
from engine.protocol import MOST_CANDIDATES
from engine.writing import write

LIMITS = ImageLimits(min_tokens=4, max_tokens=64)
LENGTH = 90
TIE = 0.03  # logits that are closer may change places; seen apart: 0.004


@pytest.fixture(scope="module")
def flag() -> CancelFlag:
    return CancelFlag.private()


@pytest.fixture(scope="module", params=[1, 3], ids=["one lane", "three lanes"])
def session(
    tiny_model_dir: Path, flag: CancelFlag, request: pytest.FixtureRequest
) -> Iterator[VisionSession]:
    """Random weights: what comes next hangs on everything before it."""
    (model,), (mmproj,) = (tiny_model_dir.glob(f"{kind}-*.gguf") for kind in ("model", "mmproj"))
    options = SessionOptions(context=512, limits=LIMITS, threads=request.param)
    loaded = VisionSession(model, mmproj, options, flag, lambda _: None)
    yield loaded
    loaded.close()


def prefill(session: VisionSession, instruction: str = "Write the HTML.") -> None:
    image = Image.linear_gradient("L").resize((112, 84)).convert("RGB")
    parts = build_prompt("", instruction, "```html\n")
    with session.tokenize(parts, image, picture_key(image)) as chunks:
        session.prefill(chunks, lambda _: None)


@dataclass
class Written:
    texts: list[str]
    passes: int
    reasons: list[str]
    tokens: list[int]  # in the order in which they were drawn


def run(
    session: VisionSession,
    samplings: Sequence[Sampling],
    *,
    longest: int = LENGTH,
    old: Sequence[int] | None = None,
    instruction: str = "Write the HTML.",
) -> Written:
    prefill(session, instruction)
    written = Written([""] * len(samplings), 0, [""] * len(samplings), [])
    draw = session.main.draw

    def noted(sampler: Sampler, row: int = -1) -> int:
        written.tokens.append(draw(sampler, row))
        return written.tokens[-1]

    def on_text(number: int, text: str) -> None:
        written.texts[number] += text

    def on_step() -> None:
        written.passes += 1

    def on_end(number: int, reason: str) -> None:
        written.reasons[number] = reason

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session.main, "draw", noted)
        write(
            session,
            samplings,
            "```html\n",
            longest,
            old=old,
            on_text=on_text,
            on_step=on_step,
            on_end=on_end,
        )
    return written


def assert_only_the_prompt_is_left(session: VisionSession) -> None:
    ends = [
        llama.llama_memory_seq_pos_max(session.main._memory, number)
        for number in range(MOST_BRANCHES)
    ]
    assert ends == [session.ledger.position - 1] + [-1] * (MOST_BRANCHES - 1)


def test_there_are_branches_for_all_candidates() -> None:
    assert MOST_BRANCHES >= MOST_CANDIDATES


def logits_after(session: VisionSession, tokens: Sequence[int]) -> NDArray[np.float32]:
    """Logits (vocabulary,) after the prompt and some tokens, decoded one by one."""
    prefill(session)
    with Branches(session, session.main, [0]) as branches:
        for token in tokens:
            branches.extend({0: [token]})
        return session.logits()


def assert_same_or_tied(session: VisionSession, one: Written, other: Written) -> None:
    pairs = zip(one.tokens, other.tokens, strict=False)
    parting = next((n for n, (a, b) in enumerate(pairs) if a != b), None)
    if parting is None:
        assert other.texts == one.texts
        assert other.reasons == one.reasons
        return
    logits = logits_after(session, one.tokens[:parting])
    assert abs(logits[one.tokens[parting]] - logits[other.tokens[parting]]) < TIE


def test_rows_of_branches_have_the_logits_of_one_alone(session: VisionSession) -> None:
    rng = np.random.default_rng(0)
    answers = rng.integers(0, 470, (4, 24)).tolist()
    alone = [logits_after(session, answer) for answer in answers]
    assert min(np.abs(a - b).max() for a, b in itertools.combinations(alone, 2)) > 1
    prefill(session)
    with Branches(session, session.main, range(4)) as branches:
        branches.extend(dict(enumerate(answers)))  # in one pass, as guesses are
        for number, answer in enumerate(answers):
            branches.rewind(number, len(answer) - 1)
        branches.extend({number: answer[-1:] for number, answer in enumerate(answers)})
        for number, logits in enumerate(alone):
            np.testing.assert_allclose(session.main.logits(number), logits, atol=TIE)
    assert_only_the_prompt_is_left(session)


def test_every_lane_holds_the_prompt(session: VisionSession) -> None:
    answer = np.random.default_rng(1).integers(0, 470, 24).tolist()
    alone = logits_after(session, answer)
    prefill(session, "Something else.")
    other = session.lanes(3)  # what they held before is gone
    prefill(session)
    lanes = session.lanes(3)
    assert lanes == other
    for lane in lanes:
        with Branches(session, lane, [5, 7]) as branches:
            branches.extend({5: answer[:3], 7: answer})
            np.testing.assert_allclose(lane.logits(26), alone, atol=TIE)


def test_what_fails_in_one_lane_ends_all(session: VisionSession) -> None:
    prefill(session)
    heard: list[int] = []

    def on_text(number: int, text: str) -> None:
        heard.append(number)
        if heard.count(2) == 10:
            raise VisCodexError(ErrorCode.internal, "Two has enough.")

    with pytest.raises(VisCodexError, match="Two has enough"):
        write(
            session,
            [Sampling(0.8, seed=seed) for seed in range(4)],
            "",
            400,
            old=None,
            on_text=on_text,
            on_step=lambda: None,
            on_end=lambda number, reason: None,
        )
    assert max(map(heard.count, range(4))) < 100
    assert_only_the_prompt_is_left(session)
    assert run(session, [Sampling(), Sampling(0.9)]).texts[1]


def test_answers_written_together(session: VisionSession) -> None:
    alone = run(session, [Sampling(0.0)])
    seeds = [Sampling(0.9, seed=seed) for seed in range(3)]
    together = run(session, [Sampling(0.0), *seeds])
    assert together.texts[0][:20] == alone.texts[0][:20]
    assert len(set(together.texts)) == 4
    lanes = len(session.lanes(4))
    assert lanes == session.threads
    assert together.passes == LENGTH if lanes == 1 else LENGTH < together.passes <= lanes * LENGTH
    assert_only_the_prompt_is_left(session)


def test_guessing_changes_nothing_but_the_passes(session: VisionSession) -> None:
    plain = run(session, [Sampling(0.0)])
    tokens = plain.tokens
    edited = [*tokens[:30], 7, 7, *tokens[32:60], *tokens[64:]]
    for old, most in ((tokens, 0.4), (edited, 0.7), ([], 1.0), (tokens[::-1], 1.0)):
        drafted = run(session, [Sampling(0.0)], old=old)
        assert drafted.passes <= most * plain.passes
        assert_only_the_prompt_is_left(session)
        assert_same_or_tied(session, plain, drafted)


def test_guessing_leaves_chance_as_it_is(session: VisionSession) -> None:
    """The same seed draws the same answer. A tie of chance cannot be told from the logits."""
    same = 0
    for seed in range(5):
        sampling = Sampling(0.8, seed=seed)
        plain = run(session, [sampling], longest=40)
        drafted = run(session, [sampling], longest=40, old=plain.tokens)
        same += drafted.texts == plain.texts
        assert drafted.passes < plain.passes
    assert same >= 3


def test_candidates_guess_apart(session: VisionSession) -> None:
    old = run(session, [Sampling(0.8, seed=1)]).tokens
    drafted = run(session, [Sampling(0.0), Sampling(0.8, seed=1)], old=old)
    plain = run(session, [Sampling(0.0), Sampling(0.8, seed=1)])
    assert [text[:20] for text in drafted.texts] == [text[:20] for text in plain.texts]
    assert drafted.passes <= plain.passes


def test_guesses_never_need_more_room_than_there_is(session: VisionSession) -> None:
    long = "Write the HTML. " * 70
    prefill(session, long)
    room = session.free_cells
    assert 10 < room < LENGTH
    runs = (
        run(session, [Sampling(0.8, seed=seed)], longest=room, instruction=long)
        for seed in itertools.count()
    )
    seed, plain = next((n, done) for n, done in enumerate(runs) if done.reasons == ["length"])
    sampling = Sampling(0.8, seed=seed)
    drafted = run(session, [sampling], longest=room, old=plain.tokens, instruction=long)
    assert len(plain.tokens) == room
    assert len(drafted.tokens) <= room
    assert drafted.passes < plain.passes
    assert_only_the_prompt_is_left(session)


def test_cancelled_between_passes(session: VisionSession, flag: CancelFlag) -> None:
    prefill(session)
    heard: list[str] = []

    def stop(number: int, text: str) -> None:
        heard.append(text)
        if len(heard) == 20:
            flag.set()

    try:
        with pytest.raises(VisCodexError) as caught:
            write(
                session,
                [Sampling(0.8, seed=seed) for seed in range(4)],
                "",
                LENGTH,
                old=None,
                on_text=stop,
                on_step=lambda: None,
                on_end=lambda number, reason: None,
            )
    finally:
        flag.clear()
    assert caught.value.code is ErrorCode.cancelled
    assert len(heard) <= 32
    assert_only_the_prompt_is_left(session)
    assert run(session, [Sampling()]).texts[0]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=60), st.lists(st.integers(0, 5), max_size=60))
def test_a_guess_continues_something_seen(old: list[int], answer: list[int]) -> None:
    draft = Draft(old)
    for end in range(len(answer) + 1):
        guess = draft.guess(50)
        assert len(guess) <= LONGEST
        stretches = ([*old], answer[:end])
        assert not guess or any(
            list(seen[start : start + len(guess)]) == guess
            for seen in stretches
            for start in range(len(seen))
        )
        assert draft.guess(2) == guess[:2]
        if end < len(answer):
            draft.take(answer[end])


def test_an_edit_is_followed_across() -> None:
    old = list(range(100))
    draft = Draft(old)
    assert draft.guess(50) == old[:SHORTEST]
    for token in [*old[:20], 500, 501]:
        draft.take(token)
    assert draft.guess(50) == []
    for token in old[25:28]:
        draft.take(token)
    assert draft.guess(50)[:SHORTEST] == old[28 : 28 + SHORTEST]
    for token in old[28:60]:
        draft.take(token)
    assert draft.guess(50) == old[60 : 60 + LONGEST]


def test_repetitions_are_foreseen_without_old_code() -> None:
    draft = Draft()
    for token in [1, 2, 3, 4, 5, 1, 2, 3]:
        draft.take(token)
    assert draft.guess(50) == [4, 5, 1, 2][:SHORTEST]

"""Code out of an answer that is still arriving."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.stream import live_code, runnable_prefix

CODE = "<p>a `tick` and ``two``</p>\n<p>b</p>\n"


@pytest.mark.parametrize(
    "answer",
    [f"```html\n{CODE}```", f"```html\n{CODE}```\nThat is all.", f"{CODE}```", CODE],
)
def test_fences_are_taken_off(answer: str) -> None:
    assert live_code(answer).rstrip("\n") == CODE.rstrip("\n")


@given(st.integers(0, len(CODE) + 20))
def test_no_fence_is_ever_shown_and_code_only_grows(cut: int) -> None:
    whole = f"```html\n{CODE}```\nchatter"
    shown, later = live_code(whole[:cut]), live_code(whole[: cut + 1])
    assert later.startswith(shown)
    assert CODE.startswith(shown)


@given(st.text(alphabet="a`\n ", max_size=40))
def test_any_answer_grows_monotonically_line_by_line(answer: str) -> None:
    for cut in range(len(answer)):
        assert not live_code(answer[:cut]).endswith("\n```")


def test_prefix_of_a_script_that_runs() -> None:
    code = "import math\nx = [1,\n     2]\nfor i in x:\n    print(i)\nplt.plot(x, [1,"
    assert runnable_prefix(code) == "\n".join(code.splitlines()[:5]) + "\n"
    assert runnable_prefix("import (") == ""
    assert runnable_prefix("") == ""
    broken = "x = (\n" + "y = 1\n" * 40
    assert runnable_prefix(broken) == ""

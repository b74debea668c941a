"""Tasks with tests, as of KodCode and TACO: solutions that pass them in the sandbox are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from engine.errors import ErrorCode, VisCodexError
from engine.tasks import FENCE
from training.data.draft import Draft, Dropped, Tools
from training.data.record import Record, read_rows
from training.data.sources.base import Source, SourcePlan, must_exist, short_hash


class AlgorithmPlan(SourcePlan):
    """A JSON Lines or Parquet file of tasks. `cases` bounds the tests of a task that give input
    and output, `solutions` how many are tried before a task is given up; `timeout` in seconds."""

    rows: str
    cases: int = Field(20, gt=0)
    solutions: int = Field(3, gt=0)
    timeout: float = Field(10.0, gt=0)

    def inputs(self) -> list[Path]:
        """The file."""
        return [must_exist(self.rows)]


@dataclass(frozen=True)
class Task:
    """A question, solutions to try, and what makes a script that ends well only if one is right."""

    question: str
    solutions: list[str]
    script: Callable[[str], str]


# A script that comes to its end leaves a figure; one that fails or stops early does not.
_END = """
import matplotlib.pyplot as plt
plt.close("all")
plt.figure(figsize=(1, 1))
"""
_UNIT = """
import sys, types
solution = types.ModuleType("solution")
sys.modules["solution"] = solution
exec(compile({code!r}, "solution.py", "exec"), solution.__dict__)
space = dict(solution.__dict__, __name__="tests")
before = set(space)
exec(compile({test!r}, "tests.py", "exec"), space)
tests = [space[name] for name in space if name.startswith("test") and name not in before]
if not tests and "assert" not in {test!r}:
    raise LookupError("no tests")
for test in tests:
    test()
"""
_STREAM = """
import contextlib, io, sys
code = compile({code!r}, "solution.py", "exec")
for given, wanted in {cases!r}:
    sys.stdin = io.TextIOWrapper(io.BytesIO(given.encode()))
    raw = io.BytesIO()
    out = sys.stdout = io.TextIOWrapper(raw, write_through=True)
    try:
        with contextlib.suppress(SystemExit):
            exec(code, {{"__name__": "__main__"}})
    finally:
        sys.stdout = sys.__stdout__
    assert raw.getvalue().decode().split() == wanted.split()
"""
_CALLS = """
space = {{"__name__": "solution"}}
head = "from typing import *\\nimport collections, heapq, math\\n"
exec(compile(head + {code!r}, "solution.py", "exec"), space)
function = space.get({name!r}) or getattr(space["Solution"](), {name!r})
plain = lambda value: [plain(v) for v in value] if isinstance(value, (list, tuple)) else value
for given, wanted in {cases!r}:
    found = plain(function(*given))
    assert found == plain(wanted) or [found] == plain(wanted)
"""


def _kodcode(row: Mapping[str, Any], plan: AlgorithmPlan) -> Task:
    """KodCode: {question, solution, test}, tests as of pytest."""
    test = row["test"]
    return Task(row["question"], [row["solution"]], lambda code: _UNIT.format(code=code, test=test))


def _taco(row: Mapping[str, Any], plan: AlgorithmPlan) -> Task:
    """TACO: {question, solutions, input_output}, the last two JSON in a text."""
    solutions, told = _unpacked(row["solutions"]), _unpacked(row["input_output"])
    cases = list(zip(told["inputs"], told["outputs"], strict=False))[: plan.cases]
    if not cases or not solutions:
        raise Dropped("no tests")
    name = told.get("fn_name")
    texts = [tuple(v if isinstance(v, str) else "\n".join(v) for v in c) for c in cases if not name]

    def script(code: str) -> str:
        if name:
            return _CALLS.format(code=code, name=name, cases=cases)
        return _STREAM.format(code=code, cases=texts)

    return Task(row["question"], list(solutions), script)


def _unpacked(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


# By the column that only this layout has.
LAYOUTS: Mapping[str, Callable[[Mapping[str, Any], AlgorithmPlan], Task]] = {
    "input_output": _taco,
    "test": _kodcode,
}


def items(plan: AlgorithmPlan) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and row of all tasks."""
    path = must_exist(plan.rows)
    try:
        yield from enumerate(read_rows(path))
    except ValueError:
        raise VisCodexError(
            ErrorCode.bad_input, f"'{path.name}' is no JSON Lines file.", "Give a task a line."
        ) from None


def make(item: tuple[int, dict[str, Any]], plan: AlgorithmPlan, tools: Tools) -> Iterator[Draft]:
    """The record of a task, with its first solution that passes."""
    number, row = item
    try:
        read = next(layout for column, layout in LAYOUTS.items() if row.get(column))
        task = read(row, plan)
    except StopIteration:
        raise Dropped("no tests") from None
    except (KeyError, TypeError, ValueError):
        raise Dropped("unreadable row") from None
    for code in task.solutions[: plan.solutions]:
        shot = tools.run_script(task.script(code) + _END, describe=False, timeout=plan.timeout)
        if shot.png is not None:
            break
    else:
        raise Dropped("solution fails its tests")
    record = Record(
        id=f"{plan.name}/{number}",
        source=plan.name,
        kind="algorithm",
        prompt=task.question.strip(),
        completion=f"{FENCE}python\n{code.strip()}\n{FENCE}",
        license=plan.license,
        origin=f"{Path(plan.rows).name}#{row.get('question_id', number)}",
        group=short_hash(plan.name, number),
    )
    yield Draft(record)


ALGORITHM = Source(AlgorithmPlan, items, make)

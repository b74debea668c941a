"""Which stages would run, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from training.pipeline.stages import Stage, stages_of
from training.pipeline.state import Record, State
from training.pipeline.work import Reason, Work
from training.sums import GONE, Sums

WORDS = {
    "new": "not run yet",
    "stopped": "goes on where it was stopped",
    "asked": "asked for",
}


@dataclass(frozen=True)
class Choice:
    """Stages to look at: from one on, or one `only`; `force` runs them whatever was done before."""

    first: str | None = None
    only: str | None = None
    force: bool = False

    def of(self, work: Work) -> list[Stage]:
        """The stages looked at. Raises VisCodexError(bad_input) for one that is not there."""
        stages = stages_of(work.recipe)
        names = [stage.name for stage in stages]
        for name in (self.first, self.only):
            if name is not None and name not in names:
                raise VisCodexError(
                    ErrorCode.bad_input,
                    f"The recipe has no stage '{name}'.",
                    f"Its stages: {', '.join(names)}.",
                )
        if self.only is not None:
            return [stages[names.index(self.only)]]
        return stages[0 if self.first is None else names.index(self.first) :]


@dataclass(frozen=True)
class Verdict:
    """Whether a stage is to be run: why (None: it is not), and that in words."""

    reason: Reason | None
    why: str


def judge(stage: Stage, work: Work, state: State, sums: Sums, *, force: bool = False) -> Verdict:
    """Hold what a stage was done with against what it would be done with now."""
    record = state.stages.get(stage.name)
    if record is None:
        return Verdict("new", WORDS["new"])
    settings, inputs = stage.settings(work), sums.all_of(stage.inputs(work))
    changes = _changes(record, settings, inputs)
    if changes:
        return Verdict("changed", changes)
    if record.status != "done":
        return Verdict("stopped", WORDS["stopped"])
    if force:
        return Verdict("asked", WORDS["asked"])
    for name, wanted in record.outputs.items():
        found = sums.of(work.folder / name)
        if found != wanted:
            return Verdict("lost", f"{name} {'is gone' if found == GONE else 'was changed'}")
    return Verdict(None, "unchanged")


def _changes(record: Record, settings: Any, inputs: dict[str, str]) -> str:
    if record.settings != settings:
        return f"changed in the recipe: {', '.join(_differing(record.settings, settings)) or 'it'}"
    for name in sorted({*record.inputs, *inputs}):
        before, now = record.inputs.get(name, GONE), inputs.get(name, GONE)
        if before != now:
            return f"{name} {'is gone' if now == GONE else 'is new' if not before else 'changed'}"
    return ""


def _differing(before: Any, now: Any, prefix: str = "") -> list[str]:
    """Names of the keys whose values differ."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [prefix] if before != now and prefix else []
    found = []
    for key in dict.fromkeys([*before, *now]):
        if before.get(key) != now.get(key):
            name = f"{prefix}.{key}" if prefix else str(key)
            found += _differing(before.get(key), now.get(key), name)
    return found


def foretell(work: Work, state: State, choice: Choice) -> list[tuple[Stage, Verdict]]:
    """What a run would do now. Behind a stage that runs, whatever reads its result runs as well,
    unless that comes out the same."""
    sums = Sums(dict(state.sums))
    running: set[str] = set()
    found = []
    for stage in choice.of(work):
        verdict = judge(stage, work, state, sums, force=choice.force)
        before = [name for name in stage.needs if name in running]
        record = state.stages.get(stage.name)
        if before and record is not None and record.settings == stage.settings(work):
            verdict = Verdict("changed", f"if {before[0]} comes out differently")
        if verdict.reason is not None:
            running.add(stage.name)
        found.append((stage, verdict))
    return found


def check_earlier(work: Work, state: State, chosen: Sequence[Stage]) -> None:
    """The stages that are not looked at must have been done where a chosen one needs them."""
    names = {stage.name for stage in chosen}
    there = {stage.name for stage in stages_of(work.recipe)}
    for stage in chosen:
        for need in stage.needs:
            if need in there - names:
                record = state.stages.get(need)
                if record is None or record.status != "done":
                    raise VisCodexError(
                        ErrorCode.bad_input,
                        f"The stage {stage.name} needs {need}, which is not done.",
                        f"Run from {need} on.",
                    )

"""Runs the stages of a recipe: each that must, in order, with a line about each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError
from training.export.bundle import check_kinds
from training.export.writing import check_type
from training.pipeline.plan import Choice, check_earlier, foretell, judge
from training.pipeline.recipe import HERE, PipelineRecipe
from training.pipeline.stages import Stage, stages_of
from training.pipeline.state import Record, State, locked
from training.pipeline.work import Reason, Report, Work
from training.sums import Sums


def run(
    recipe: PipelineRecipe,
    folder: Path,
    choice: Choice | None = None,
    *,
    threads: int | None = None,
    report: Report = print,
) -> Path:
    """Bring the stages of a recipe up to date; returns the model folder.

    What was done with the same inputs is skipped, what was stopped goes on. Raises VisCodexError:
    bad_input where another run holds the folder; whatever a stage raises.
    """
    choice = choice or Choice()
    work = Work(recipe, folder, report, threads)
    chosen = choice.of(work)
    check_before(work)
    check_records(work, chosen)
    with locked(folder) as lock:
        work = replace(work, lock=lock)
        state = State.read(folder)
        check_earlier(work, state, chosen)
        sums = Sums(state.sums)
        for stage in chosen:
            told = f"{_place(work, stage)} {stage.name}:"
            verdict = judge(stage, work, state, sums, force=choice.force)
            if verdict.reason is None:
                report(f"{told} skipped ({verdict.why})")
                continue
            report(f"{told} runs ({verdict.why})")
            seconds = _run(stage, work, state, sums, verdict.reason)
            report(f"{told} done in {seconds:.1f} s")
        _forget_sums(work, state, sums)
    return work.model


def _place(work: Work, stage: Stage) -> str:
    stages = stages_of(work.recipe)
    return f"[{stages.index(stage) + 1}/{len(stages)}]"


def _run(stage: Stage, work: Work, state: State, sums: Sums, reason: Reason) -> float:
    """Run one stage; what becomes of it stands in the state before and after."""
    if reason != "stopped":
        stage.clear(work, reason)  # before the state says that there is something to go on with
    record = Record(
        "running",
        stage.settings(work),
        sums.all_of(stage.inputs(work)),
        datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    state.stages[stage.name] = record
    state.write()
    began = time.monotonic()
    try:
        stage.run(work, reason)
        outputs = {str(path.relative_to(work.folder)): path for path in stage.outputs(work)}
        record.outputs = sums.all_of(outputs)
        record.status = "done"
    except BaseException as error:
        record.status, record.error = "failed", str(error) or type(error).__name__
        raise
    finally:
        record.seconds = round(time.monotonic() - began, 2)
        state.write()
    return record.seconds


def _forget_sums(work: Work, state: State, sums: Sums) -> None:
    places = {work.folder / name for record in state.stages.values() for name in record.outputs}
    for stage in stages_of(work.recipe):
        places.update(stage.inputs(work).values())
    sums.keep_only(places)
    state.write()


def dry_run(recipe: PipelineRecipe, folder: Path, choice: Choice, report: Report) -> None:
    """Tell which stages a run would run, and why; nothing is written."""
    work = Work(recipe, folder, report)
    check_before(work)
    for stage, verdict in foretell(work, State.read(folder), choice):
        told = "skip" if verdict.reason is None else "run "
        report(f"{_place(work, stage)} {told} {stage.name:8} {verdict.why}")


def check_records(work: Work, chosen: Sequence[Stage]) -> None:
    """The same for what records are made of, or lie in. Files of the Hub are fetched for it."""
    from training.sft.rows import named_files

    names = {stage.name for stage in chosen}
    recipe = work.recipe
    if recipe.data is not None and "data" in names:
        for source in recipe.data.sources:
            source.inputs()
    if recipe.data is None and recipe.sft is not None and "sft" in names:
        named_files(recipe.sft.data)


def check_before(work: Work) -> None:
    """What would end a late stage is told before the first. Raises VisCodexError(bad_input)."""
    plan, evaluate = work.recipe.export, work.recipe.evaluate
    check_kinds(plan.quant, weighed=bool(plan.calibrate or plan.imatrix))
    check_type(plan.mmproj_type)
    sft = work.recipe.sft
    if sft is not None and sft.lora and sft.lora.quantize and work.recipe.launch in HERE:
        from training.sft.run import check_quantized

        check_quantized(sft)
    wanted = {
        "unpack": work.recipe.unpack,
        "export.calibrate": plan.calibrate,
        "export.imatrix": plan.imatrix,
        "evaluate.snips": evaluate and evaluate.snips,
    }
    for key, place in wanted.items():
        if place and not Path(place).exists():
            raise VisCodexError(
                ErrorCode.bad_input, f"{key}: there is no '{place}'.", "Check the recipe."
            )

"""The table of stages: what each reads, what it leaves, how it is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.pipeline import finishing, making
from training.pipeline.recipe import PipelineRecipe
from training.pipeline.work import SCORES, VERIFIED, Reason, Work, checkpoint_files, files_in

Files = Mapping[str, Path]
# Of a training, what changes its speed and its logs but not its result.
FREE = ("machines", "workers", "keep", "log_every", "samples", "device_batch")
CHECKPOINT = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.png")


@dataclass(frozen=True)
class Stage:
    """A row of the table.

    `needs` are the stages whose results it reads, where the recipe has them. It runs anew when
    `settings` (plain JSON values) or the content of its `inputs` change, or an output is not what
    it left. `outputs` are files, or folders that count by names, sizes and times. `run` goes on
    with what lies there; `clear` takes away what it must not go on with, unless it was "stopped".
    """

    name: str
    needs: tuple[str, ...]
    wanted: Callable[[PipelineRecipe], bool]
    settings: Callable[[Work], Any]
    inputs: Callable[[Work], Files]
    outputs: Callable[[Work], list[Path]]
    run: Callable[[Work, Reason], None]
    clear: Callable[[Work, Reason], None] = lambda work, reason: None


def _trained_inputs(work: Work) -> Files:
    return checkpoint_files(work.trained, "checkpoint")


def _data_inputs(work: Work) -> Files:
    recipe = work.recipe.data
    assert recipe is not None
    own = [path for source in recipe.sources for path in source.inputs()]
    named = [*recipe.benchmarks, *filter(None, [recipe.filters.tokenizer])]
    return {str(path): path for path in [*own, *(Path(name).expanduser() for name in named)]}


def _export_inputs(work: Work) -> Files:
    plan = work.recipe.export
    named = [Path(place) for place in (plan.calibrate, plan.imatrix) if place is not None]
    return {**_trained_inputs(work), **{str(path): path for path in named}}


def _gguf(work: Work) -> dict[str, Path]:
    return {path.name: path for path in files_in(work.model, "*.gguf")}


def _evaluate_inputs(work: Work) -> Files:
    plan = work.recipe.evaluate
    snips = {} if plan is None or plan.snips is None else {"snips": Path(plan.snips)}
    return {**_gguf(work), **snips}


def _card_inputs(work: Work) -> Files:
    told = {
        "merge": work.merged / "merge.json",
        "data": work.data / "report.json",
        "sft": work.folder / "sft" / "metrics.jsonl",
        "coder": work.folder / "coder" / "metrics.jsonl",
        "export": work.model / "export.json",
        "verify": work.folder / VERIFIED,
        "evaluate": work.folder / SCORES,
    }
    wanted = {stage.name for stage in stages_of(work.recipe)}
    return {name: path for name, path in told.items() if name in wanted}


def _tuned(name: str) -> Callable[[Work], list[Path]]:
    def outputs(work: Work) -> list[Path]:
        folder = work.folder / name
        return [*files_in(folder / "model", *CHECKPOINT), *files_in(folder, "metrics.jsonl")]

    return outputs


STAGES: tuple[Stage, ...] = (
    Stage(
        "unpack",
        (),
        lambda recipe: recipe.unpack is not None,
        lambda work: None,
        making.unpack_inputs,
        lambda work: files_in(work.base, *CHECKPOINT),
        making.unpack,
    ),
    Stage(
        "merge",
        ("unpack", "coder"),
        lambda recipe: recipe.merge is not None,
        lambda work: work.settings("merge"),
        making.merge_inputs,
        lambda work: files_in(work.merged, *CHECKPOINT),
        making.merge,
        making.clear_merge,
    ),
    Stage(
        "data",
        (),
        lambda recipe: recipe.data is not None,
        lambda work: work.settings("data"),
        _data_inputs,
        lambda work: [
            *files_in(work.data, "train/*", "validation/*", "report.json"),
            work.data / "parts",
        ],
        making.data,
        making.clear_data,
    ),
    Stage(
        "coder",
        ("unpack", "data"),
        lambda recipe: recipe.coder is not None,
        lambda work: work.settings("coder", FREE),
        lambda work: making.sft_inputs(work, "coder"),
        _tuned("coder"),
        making.coder,
        making.set_aside("coder"),
    ),
    Stage(
        "sft",
        ("unpack", "merge", "data"),
        lambda recipe: recipe.sft is not None,
        lambda work: work.settings("sft", FREE),
        lambda work: making.sft_inputs(work, "sft"),
        _tuned("sft"),
        making.sft,
        making.set_aside("sft"),
    ),
    Stage(
        "export",
        ("unpack", "merge", "sft"),
        lambda recipe: True,
        finishing.export_settings,
        _export_inputs,
        lambda work: files_in(work.model, "*.gguf", "export.json"),
        finishing.export,
    ),
    Stage(
        "verify",
        ("unpack", "merge", "sft", "export"),
        lambda recipe: True,
        lambda work: [work.settings("verify"), finishing.export_settings(work)["card"]],
        lambda work: {**_trained_inputs(work), **_gguf(work)},
        lambda work: [work.folder / VERIFIED],
        finishing.verify,
    ),
    Stage(
        "evaluate",
        ("export",),
        lambda recipe: recipe.evaluate is not None,
        lambda work: [work.settings("evaluate"), finishing.export_settings(work)["card"]],
        _evaluate_inputs,
        lambda work: [work.folder / SCORES],
        finishing.evaluate,
        finishing.clear_scores,
    ),
    Stage(
        "card",
        ("merge", "data", "coder", "sft", "export", "verify", "evaluate"),
        lambda recipe: True,
        finishing.card_settings,
        _card_inputs,
        lambda work: files_in(work.model, "viscodex.json", "README.md", "losses.png"),
        finishing.card,
    ),
)


def stages_of(recipe: PipelineRecipe) -> list[Stage]:
    """The stages of a recipe, each behind those that it needs, else in the order of the table."""
    return list(_ordered([stage for stage in STAGES if stage.wanted(recipe)]))


def _ordered(waiting: list[Stage]) -> Iterator[Stage]:
    names = {stage.name for stage in waiting}
    while waiting:
        first = next(stage for stage in waiting if not names & set(stage.needs))
        yield first
        waiting.remove(first)
        names.remove(first.name)

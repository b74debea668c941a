"""The stages that make a checkpoint: unpack, merge, data, coder, sft."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import yaml

from engine.errors import ErrorCode, VisCodexError
from training.pipeline.child import run_child
from training.pipeline.work import Reason, Work, checkpoint_files, files_in
from training.sft.recipe import SftRecipe, files_of
from training.tensors import write_beside

TOLD_EVERY = 16  # parts of a data set
WAIT = {"slurm": ["--wait"]}  # options with which a launcher ends when its job does
HEAD = "localhost"  # one machine, or a launcher that finds the first itself


def unpack_inputs(work: Work) -> dict[str, Path]:
    """The files of the packed run."""
    packed = Path(work.recipe.unpack or "")
    return {str(path.relative_to(packed)): path for path in files_in(packed, "*", "tokenizer/*")
            if path.is_file()}  # fmt: skip


def unpack(work: Work, reason: Reason) -> None:
    """Lay the packed run out as a checkpoint."""
    from training.nano import archive
    from training.nano.stages import snapshot_stage

    folder = work.base.parent
    shutil.rmtree(folder, ignore_errors=True)  # half of it may lie there
    archive.unpack(Path(work.recipe.unpack or ""), folder)
    snapshot_stage(folder)
    for state in folder.glob("*.pt"):  # the checkpoint holds the same weights
        state.unlink()


def merge_inputs(work: Work) -> dict[str, Path]:
    """The files of the models that are merged."""
    recipe = work.recipe.merge
    assert recipe is not None
    models = {"vlm": recipe.vlm, "coder": recipe.coder, "base": recipe.base}
    found: dict[str, Path] = {}
    for role, model in models.items():
        if model is not None:
            found |= checkpoint_files(Path(model).expanduser(), role)
    return found


def clear_merge(work: Work, reason: Reason) -> None:
    """Another merge, or one that is not whole any more, begins from nothing."""
    shutil.rmtree(work.merged, ignore_errors=True)


def merge(work: Work, reason: Reason) -> None:
    """Merge, or go on with the shards that are written."""
    from training.merge import job

    recipe = work.recipe.merge
    assert recipe is not None
    job.merge(recipe, work.merged, resume=True, threads=work.threads, report=work.report)


def clear_data(work: Work, reason: Reason) -> None:
    """Parts stay where they would come out the same; those that lack a picture do not."""
    from training.data.build import forget_broken

    if reason == "asked":
        shutil.rmtree(work.data / "parts", ignore_errors=True)
    elif reason == "lost":
        forget_broken(work.data)


def data(work: Work, reason: Reason) -> None:
    """Build what is missing of the data set; parts that would come out the same stay."""
    from training.data.build import Progress, build

    recipe = work.recipe.data
    assert recipe is not None
    items: Counter[str] = Counter()

    def tell(news: Progress) -> None:
        items[news.source] += news.items
        if news.parts % TOLD_EVERY == 0:
            work.report(f"data: {news.source}: {items[news.source]:,} items")

    outcome = build(recipe, work.data, workers=work.threads, progress=tell)
    if outcome.report is None:
        raise VisCodexError(
            ErrorCode.internal,
            f"Parts of {', '.join(outcome.missing)} are missing.",
            "Run again to go on.",
        )
    for split, kept in outcome.report["kept"].items():
        work.report(f"data: {split}: {kept['records']:,} records")


def sft_inputs(work: Work, section: str) -> dict[str, Path]:
    """The files of the model and the records of a training."""
    recipe: SftRecipe = getattr(work.recipe, section)
    records = files_of([*recipe.data, *recipe.held_out_data])
    found = checkpoint_files(Path(recipe.model).expanduser(), "model")
    for path in records:
        inside = path.is_relative_to(work.folder)
        found[str(path.relative_to(work.folder) if inside else path)] = path
    return found


def coder(work: Work, reason: Reason) -> None:
    """Train the code model."""
    _train(work, "coder", work.recipe.coder)


def sft(work: Work, reason: Reason) -> None:
    """Train the model."""
    _train(work, "sft", work.recipe.sft)


def set_aside(section: str) -> Callable[[Work, Reason], None]:
    """What puts a training by another recipe aside: it may have taken days. One is kept."""

    def clear(work: Work, reason: Reason) -> None:
        out, old = work.folder / section, work.folder / f"{section}.old"
        if reason in ("changed", "asked") and out.exists():
            shutil.rmtree(old, ignore_errors=True)
            out.rename(old)
            work.report(f"{section}: what was trained before is kept as '{old}'")

    return clear


def _train(work: Work, section: str, recipe: SftRecipe | None) -> None:
    """Train in a process of its own, which gives all its memory back. It goes on from the last
    state there is."""
    from training.launch import WAYS, Job, ready

    assert recipe is not None
    out = work.folder / section
    file = work.folder / f"{section}.yaml"
    write_beside(file, yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
    way = work.recipe.launch
    program, *rest = ready(WAYS[way](Job(file, recipe, out, HEAD)), work.folder / f"{section}.job")
    if way == "local" and work.threads:
        rest += ["--threads", str(work.threads)]
    ended = run_child([program, *WAIT.get(way, []), *rest], work.lock)
    if ended.status:
        code = ErrorCode.bad_input if ended.status == 2 else ErrorCode.internal
        message = ended.error or f"'{Path(program).name}' ended with {ended.status}."
        raise VisCodexError(code, message, "")
    if not (out / "model").is_dir():
        raise VisCodexError(
            ErrorCode.internal,
            f"'{way}' ended, and there is no '{out / 'model'}'.",
            "The work folder must be on a disk that all machines share.",
        )

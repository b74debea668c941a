"""The stages from a checkpoint to a model folder: export, verify, evaluate, card."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from engine.models.store import ModelFiles
from engine.models.store import verify as check_sums
from training.pipeline.card import engine_card, readme
from training.pipeline.work import SCORES, VERIFIED, Reason, Work
from training.tensors import read_json, write_beside

HELD_OUT, SNIPS = "Held-out generated pictures", "Real snips"
JOURNAL = "scores.jsonl"
TOLD_LATER = ("licence",)  # of the card, what no other stage depends on


def export_settings(work: Work) -> dict[str, Any]:
    """What the files depend on beside the checkpoint."""
    return {"export": work.settings("export"), **card_settings(work, TOLD_LATER)}


def card_settings(work: Work, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the engine's card is made of."""
    sft = work.recipe.sft
    said = None if sft is None else sft.model_dump(mode="json", include={"prompt", "picture"})
    return {"name": work.recipe.name, "card": work.settings("card", leave_out), "sft": said}


def export(work: Work, reason: Reason) -> None:
    """Write the model folder anew, checked against the checkpoint."""
    from training.export.job import ExportJob, run

    plan = work.recipe.export
    job = ExportJob(
        checkpoint=work.trained,
        out=work.model,
        quants=tuple(plan.quant),
        mmproj_type=plan.mmproj_type,
        imatrix=None if plan.imatrix is None else Path(plan.imatrix),
        calibrate=None if plan.calibrate is None else Path(plan.calibrate),
        verify=plan.verify,
        name=work.recipe.name,
        card=engine_card(work),
    )
    written = run(job, work.report)
    for path in work.model.glob("*.gguf"):
        if path not in (*written.models, written.mmproj):
            path.unlink()


def exported(work: Work) -> ModelFiles:
    """The exported files and their card; the files' sums are those of export.json."""
    record = read_json(work.model / "export.json")
    sums = {entry["name"]: entry["sha256"] for entry in record["files"]}
    model, *_ = (name for name in sums if name.startswith("model-"))
    mmproj = next(name for name in sums if name.startswith("mmproj-"))
    return ModelFiles(work.model / model, work.model / mmproj, engine_card(work, sums))


def verify(work: Work, reason: Reason) -> None:
    """Sums and headers of the files; held-out pictures through them and through the checkpoint."""
    from training.export.held_out import verify_samples
    from training.nano.build import held_out_samples

    plan = work.recipe.verify
    files = exported(work)
    for path, problem in check_sums(files):
        if problem is not None:
            raise VisCodexError(ErrorCode.model_broken, f"{path.name}: {problem}", "Export again.")
    samples = list(held_out_samples(plan.pictures))
    found = verify_samples(work.trained, files, samples, plan.tokens)
    least = min(check.cosine for check in found.checks)
    what = "whole" if found.whole else "tower alone"
    work.report(f"verify: {len(samples)} pictures ({what}), embeddings {least:.6f} alike")
    if not found.passed:
        raise VisCodexError(
            ErrorCode.model_broken,
            f"The export differs from the checkpoint: {found.problems[0]}.",
            "Do not ship it.",
        )
    write_beside(work.folder / VERIFIED, json.dumps(found.to_json(), indent=1) + "\n")


def clear_scores(work: Work, reason: Reason) -> None:
    """Scores of other files are none of these."""
    (work.folder / JOURNAL).unlink(missing_ok=True)


def evaluate(work: Work, reason: Reason) -> None:
    """Measure the exported files through the engine, as the application converts. Scores are kept
    one by one, so that a long measuring goes on where it was stopped."""
    from engine.improver import Wishes
    from training.evaluate import snips

    plan = work.recipe.evaluate
    assert plan is not None
    files = exported(work)
    sets: dict[str, list[snips.Snip]] = {}
    if plan.held_out:
        sets[HELD_OUT] = snips.held_out_snips(plan.held_out)
    if plan.snips is not None:
        sets[SNIPS] = snips.real_snips(Path(plan.snips))
    journal = work.folder / JOURNAL
    known = {score.id: score for score in _read_scores(journal)}

    def keep(score: snips.Score) -> None:
        with journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(score), ensure_ascii=False) + "\n")

    wishes = Wishes(
        best_of=plan.best_of or files.card.best_of, repairs=plan.repair, correct=plan.correct
    )
    measured = {
        what: snips.measure(
            files, chosen, wishes=wishes, max_tokens=plan.max_tokens, report=work.report,
            known=known, done=keep,
        )
        for what, chosen in sets.items()
    }  # fmt: skip
    content = {
        "summary": {what: snips.summaries_of(scores) for what, scores in measured.items()},
        "scores": {what: [asdict(s) for s in scores] for what, scores in measured.items()},
    }
    write_beside(work.folder / SCORES, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    journal.unlink()


def _read_scores(journal: Path) -> list[Any]:
    from training.evaluate.snips import Score

    found = []
    if journal.exists():
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                found.append(Score(**json.loads(line)))
            except ValueError:  # cut off by a kill
                break
    return found


def card(work: Work, reason: Reason) -> None:
    """Write viscodex.json with all figures, and the card for people."""
    from training.pipeline.card import facts_of

    files = exported(work)
    facts = facts_of(work)
    told = engine_card(work, files.card.sha256, facts.training(), facts.evaluation)
    write_beside(work.model / "viscodex.json", json.dumps(told.to_json(), indent=2) + "\n")
    write_beside(work.model / "README.md", readme(work, told, facts))
    plot = work.folder / "sft" / "losses.png"
    if work.recipe.sft is not None and plot.exists():
        shutil.copy(plot, work.model / "losses.png")

"""The whole export: files, checks, measures, and `export.json` that tells of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from engine.models.card import ModelCard
from engine.models.store import ModelFiles
from training.export import imatrix as matrices
from training.export.audit import audit
from training.export.bundle import ExportReport, Made, Weigh, export_checkpoint
from training.export.quantize import Importance
from training.export.scoring import Score, score, table
from training.export.texts import held_out_answers
from training.export.tower import drawn_pictures

IMATRIX = "model.imatrix"  # not .gguf: a folder's GGUF files are its models
WORSE = 2.0  # times the perplexity of the most precise file: more is taken for a broken file
TOKENS = 16
# Types from the most precise on; others come after them.
PRECISE = ("F32", "BF16", "F16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "IQ4_XS", "Q4_K_M", "Q4_K_S")


@dataclass(frozen=True)
class ExportJob:
    """What is to be exported, and how. `quants` are types of the text files, the first of them the
    one that the folder stands for. Without a card one is made for a general model."""

    checkpoint: Path
    out: Path
    quants: tuple[str, ...] = ("Q8_0",)
    mmproj_type: str = "Q8_0"
    imatrix: Path | None = None
    calibrate: Path | None = None
    lora: Path | None = None
    verify: bool = True
    name: str | None = None
    card: ModelCard | None = None


def run(job: ExportJob, report: Callable[[str], None]) -> ExportReport:
    """Export and check; nothing is left where a check fails.

    Raises VisCodexError: what export_checkpoint raises; bad_input for an importance matrix of
    another model; model_broken that names what a check found.
    """
    if job.imatrix is not None and job.calibrate is not None:
        raise VisCodexError(
            ErrorCode.bad_input,
            "--imatrix and --calibrate exclude each other.",
            "Give the matrix, or the texts to make one from.",
        )
    collected: list[matrices.Matrix] = []
    written = export_checkpoint(
        job.checkpoint,
        job.out,
        card=job.card,
        text_type=job.quants,
        mmproj_type=job.mmproj_type,
        name=job.name,
        lora=job.lora,
        weigh=_weigh(job, collected, report),
        inspect=lambda made: _inspect(job, made, collected, report),
        report=report,
    )
    if job.calibrate is not None:
        matrices.write(collected[0], job.out / IMATRIX)
    return written


def _weigh(
    job: ExportJob, collected: list[matrices.Matrix], report: Callable[[str], None]
) -> Weigh | None:
    if job.imatrix is None and job.calibrate is None:
        return None

    def weigh(base: Path) -> Importance:
        if job.imatrix is not None:
            matrix = matrices.read(job.imatrix)
        else:
            assert job.calibrate is not None
            matrix = matrices.collect(base, job.calibrate)
            report(f"importance matrix of {matrix.chunks} stretches of text")
        collected.append(matrix)
        return matrices.importance_for(matrix, base)

    return weigh


def _inspect(
    job: ExportJob,
    made: Made,
    collected: Sequence[matrices.Matrix],
    report: Callable[[str], None],
) -> dict[str, Any]:
    """The content of export.json. Raises VisCodexError(model_broken) for the first problem."""
    found = audit(made.checkpoint, made.texts, made.mmproj)
    problems = list(found.problems)
    record: dict[str, Any] = {
        "checkpoint": job.checkpoint.resolve().name,
        "family": made.checkpoint.family,
        "adapter": None if job.lora is None else job.lora.resolve().name,
        "files": made.files(),
        "notes": list(made.notes),
        "tensors": {"planned": found.planned, "found": found.found},
        "tokenizer": found.tokenizer,
        "importance": [
            {"from": one.source, "stretches": one.chunks, "matrices": len(one.sums)}
            for one in collected
        ],
        "versions": {
            name: version(name) for name in ("llama-cpp-python", "gguf", "transformers", "torch")
        },
        "verified": job.verify,
    }
    if job.verify and not problems:
        scores, wrong = _measure(made, report)
        record["quantizations"] = [asdict(one) for one in scores]
        pictures, different = _compare(job, made, report)
        record["pictures"] = pictures
        problems += [*wrong, *different]
    if problems:
        raise VisCodexError(
            ErrorCode.model_broken,
            f"The export is not the model: {'; '.join(problems[:3])}.",
            "Nothing was kept; --no-verify keeps the files.",
        )
    return record


def most_precise(kinds: Sequence[str]) -> str:
    """The type that comes closest to the checkpoint."""
    return min(kinds, key=lambda kind: PRECISE.index(kind) if kind in PRECISE else len(PRECISE))


def _measure(made: Made, report: Callable[[str], None]) -> tuple[list[Score], list[str]]:
    answers = held_out_answers(short=made.card.prompt == "short")
    scores = [score(path, kind, answers) for kind, path in made.texts.items()]
    report(table(scores))
    best = most_precise(list(made.texts))
    least = next(one.perplexity for one in scores if one.type == best)
    problems = [
        f"{one.type} has a perplexity of {one.perplexity:.4g}, {best} {least:.4g}"
        for one in scores
        if not (math.isfinite(one.perplexity) and one.perplexity < WORSE * least)
    ]
    return scores, problems


def _compare(
    job: ExportJob, made: Made, report: Callable[[str], None]
) -> tuple[Mapping[str, Any], list[str]]:
    """Two pictures through the most precise file and through the checkpoint."""
    from training.export.reference import needed_memory
    from training.export.verify import verify

    best = most_precise(list(made.texts))
    files = ModelFiles(made.texts[best], made.mmproj, made.card)
    pictures = drawn_pictures()
    prompts = [one.prompt for one in held_out_answers(2, short=made.card.prompt == "short")]
    result = verify(
        job.checkpoint, files, pictures[: len(prompts)], prompts, tokens=TOKENS, lora=job.lora
    )
    least = min(check.cosine for check in result.checks)
    report(f"{len(result.checks)} pictures: embeddings at least {least:.6f} like the checkpoint's")
    record = result.to_json() | {"model": f"model-{best}.gguf", "mmproj": made.places["mmproj"]}
    if not result.whole:
        need = needed_memory(made.checkpoint) / 1e9
        report(f"tokens were not compared: the checkpoint takes {need:.0f} GB in float32")
    return record, result.problems

"""The `export` command of `viscodex-train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    checkpoint: Annotated[
        str, typer.Argument(help="Folder of a transformers checkpoint, or a Hub id.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the GGUF files and the card.")],
    quant: Annotated[
        str,
        typer.Option(
            "--quant",
            "--text-type",
            help="Types of the language model, the usual one first: F32, F16, BF16, Q8_0, Q6_K, "
            "Q5_K_M, Q4_K_M, IQ4_XS, Q3_K_M, Q2_K ...",
        ),
    ] = "Q8_0",
    mmproj_type: Annotated[
        str,
        typer.Option(help="Of the vision file: F32, BF16, Q8_0, or F16 (if it can hold it)."),
    ] = "Q8_0",
    imatrix: Annotated[
        Path | None,
        typer.Option(help="Importance matrix for K-quants, of an export or of llama-imatrix."),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="Texts to collect an importance matrix from: a file, JSON lines, or a folder.",
            metavar="DATA",
        ),
    ] = None,
    lora: Annotated[
        Path | None,
        typer.Option(help="LoRA adapter to merge, as peft writes it.", metavar="DIR"),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            help="Compare the files with the checkpoint, and measure each, before they are kept."
        ),
    ] = True,
    name: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
) -> None:
    """Write a checkpoint of Qwen2-VL, Qwen2.5-VL or Qwen3-VL as text GGUF, vision GGUF and card.

    Weights stream by: no more than a part of one tensor is in memory. What was written, checked
    and measured stands in export.json.

    Example: viscodex-train export runs/viscodex-8b --out runs/gguf --quant Q4_K_M,Q8_0
    --mmproj-type BF16 --calibrate answers.jsonl
    """
    from training.export.job import ExportJob, run
    from training.hub import find_checkpoint

    folder = find_checkpoint(checkpoint)
    job = ExportJob(
        checkpoint=folder,
        out=out,
        quants=tuple(kind.strip() for kind in quant.split(",") if kind.strip()),
        mmproj_type=mmproj_type,
        imatrix=imatrix,
        calibrate=calibrate,
        lora=lora,
        verify=verify,
        name=name,
    )
    written = run(job, lambda text: print(text, flush=True))
    for path in (*written.models, written.mmproj, written.card):
        print(path)
    print(f"{written.size / 1e6:.1f} MB")

"""The `viscodex-train` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import VisCodexError
from training.data.command import data
from training.export.command import export
from training.merge.command import merge
from training.pipeline.command import NANO_WORK, run
from training.sft.command import launch, sft

application = typer.Typer(
    help="Make a VisCodex model: data, training, export, measuring.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Work = Annotated[
    Path, typer.Option("--work", help="Folder for data, checkpoints and metrics.", metavar="DIR")
]
Stage = Annotated[
    str | None, typer.Option("--stage", help="Whose state is meant (default: the last begun).")
]


for command in (run, merge, sft, launch, export):
    application.command()(command)
application.add_typer(data, name="data")


@application.command()
def reader_rates(
    count: Annotated[int, typer.Option(help="How many generated pictures.")] = 100,
) -> None:
    """Measure how often the text reader errs on generated pictures (see ReaderNoise).

    Example: viscodex-train reader-rates --count 200
    """
    from training.nano.build import held_out_samples
    from training.nano.reader_rates import rates

    for name, value in rates(held_out_samples(count)).items():
        print(f"{name:12} {value:.4f}")


@application.command()
def snapshot(work: Work = NANO_WORK, stage: Stage = None) -> None:
    """Write the newest state of a running or stopped run as a checkpoint (WORK/checkpoint)."""
    from training.nano.stages import snapshot_stage

    print(f"Written: {snapshot_stage(work, stage)}")


@application.command()
def pack(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    work: Work = NANO_WORK,
    stage: Stage = None,
) -> None:
    """Pack a run (weights in bfloat16, tokenizer, metrics) to carry it to another machine.

    Example: viscodex-train pack --out training/checkpoints/nano
    """
    from training.nano.archive import pack as write

    print(f"Written: {write(work, stage, out)}")


@application.command()
def unpack(
    packed: Annotated[Path, typer.Argument(help="Folder that `pack` wrote.")],
    work: Work = NANO_WORK,
    stage: Annotated[
        str | None, typer.Option(help="Begin this stage with the weights (default: go on).")
    ] = None,
) -> None:
    """Lay out a packed run, for `run` to go on from.

    Example: viscodex-train unpack training/checkpoints/nano --work runs/nano
    """
    from training.nano.archive import unpack as lay_out

    print(f"{work}: {lay_out(packed, work, stage)}")


@application.command()
def publish(
    recipe: Annotated[Path, typer.Argument(help="The recipe the model was made by.")],
    out: Annotated[Path, typer.Option(help="Folder of the model.")],
    work: Work = NANO_WORK,
    stage: Stage = None,
) -> None:
    """Export the newest state of a stage with its card; scores found in WORK go into the card.

    Example: viscodex-train publish training/recipes/nano.yaml --out assets/models/viscodex-nano
    """
    from training.nano.publish import publish as write

    print(write(recipe, work, stage, out, report=print))


@application.command()
def evaluate(
    what: Annotated[
        str, typer.Argument(help="held-out (generated pictures) or snips (real ones).")
    ],
    model: Annotated[str, typer.Option(help="Model folder, GGUF file or name.")] = "viscodex-nano",
    count: Annotated[int, typer.Option(help="How many held-out pictures.")] = 60,
    data: Annotated[
        Path | None,
        typer.Option(
            envvar="VISCODEX_DATA", help="Folder that holds snips/pages and snips/charts."
        ),
    ] = None,
    auto: Annotated[bool, typer.Option(help="Let the model choose the target.")] = False,
    best_of: Annotated[
        int | None, typer.Option(min=1, max=8, help="Answers a picture (default: as its card has).")
    ] = None,
    repair: Annotated[
        int | None, typer.Option(min=0, help="Turns to repair a script (default: as in the app).")
    ] = None,
    correct: Annotated[
        bool, typer.Option(help="Correct answers by the picture, where the card asks for it.")
    ] = True,
    out: Annotated[Path, typer.Option(help="Where to write the scores.")] = Path(
        "runs/scores.json"
    ),
) -> None:
    """Answer, render and score a set of pictures with an exported model.

    Example: viscodex-train evaluate held-out --count 60 --out runs/held_out.json
    """
    import json

    from engine.errors import ErrorCode
    from engine.improver import Wishes
    from engine.models.store import find_model
    from training.evaluate import snips

    if what == "held-out":
        chosen = snips.held_out_snips(count)
    elif what == "snips" and data is not None:
        chosen = snips.real_snips(data / "snips")
    else:
        raise VisCodexError(
            ErrorCode.bad_input,
            "Say what to measure: held-out, or snips with --data DIR (or VISCODEX_DATA).",
        )
    files = find_model(model)
    wishes = Wishes(best_of=best_of or files.card.best_of, repairs=repair, correct=correct)
    scores = snips.measure(files, chosen, wishes=wishes, auto=auto)
    snips.save_scores(out, scores)
    groups = json.loads(out.read_text())["summary"]
    for name, figures in groups.items():
        print(name, " ".join(f"{k}={v:.3f}" for k, v in figures.items() if v is not None))


def main() -> None:
    """Entry point: errors in one line, exit status 2 for bad input and 1 for failure."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        application()
    except VisCodexError as error:
        if debug:
            raise
        print(f"viscodex-train: error: {error.message} {error.advice}".strip(), file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("viscodex-train: stopped.", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()

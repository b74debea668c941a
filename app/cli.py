"""The `viscodex` command: the window, and everything it does without one.

Results go to stdout, progress and errors to stderr. Exit status 0, 2 for bad input, 1 for failure,
130 after Ctrl-C.
"""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli_models import models
from app.cli_parts import EPILOG, JsonOption, bad_input, print_json
from app.workers import WORKERS, run_worker
from engine.errors import ErrorCode, VisCodexError

INTERRUPTED = 130
COMMANDS = ("convert", "render", "match", "compare", "models", "devices", "doctor")

cli = typer.Typer(
    name="viscodex",
    help="Snip a part of the screen, get the code that draws it, on your own machine.\n\n"
    "`viscodex [IMAGE] [--capture] [--hidden]` opens the application.",
    epilog=EPILOG,
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.add_typer(models, name="models")

UnwalledOption = Annotated[
    bool,
    typer.Option("--unwalled", help="Run charts even where this system cannot shut them in."),
]


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})[xX×](\d{1,5})", text.strip())
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(16 <= side <= 8192 for side in size):
        raise bad_input(
            f"--size {text} is not a size", "Give WIDTHxHEIGHT in pixels, as in 640x480."
        )
    return size


def _read_text(path: Path) -> str:
    if not path.exists():
        raise bad_input(f"{path} does not exist", "Check the name and the folder.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise bad_input(f"{path} is not UTF-8 text", "Give a file with code.") from error


@cli.command("open", hidden=True)
def open_window(
    image: Annotated[Path | None, typer.Argument(help="Picture to open.")] = None,
    capture: Annotated[bool, typer.Option("--capture", help="Snip at once.")] = False,
    hidden: Annotated[bool, typer.Option("--hidden", help="Wait in the tray.")] = False,
) -> None:
    """Open the application, with a picture or a snip."""
    if image is not None and not image.exists():
        raise bad_input(
            f"{image} does not exist", "Give a picture, or a command: " + ", ".join(COMMANDS) + "."
        )
    if (
        sys.platform == "linux"
        and os.environ.get("QT_QPA_PLATFORM") is None
        and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    ):
        raise VisCodexError(
            ErrorCode.internal,
            "There is no display to open a window on",
            "Use `viscodex convert IMAGE` in the terminal.",
        )
    from app.main import main as run_window

    raise typer.Exit(run_window(image, capture=capture, hidden=hidden))


@cli.command(epilog=f"Example: viscodex convert login.png --out login.html. {EPILOG}")
def convert(
    image: Annotated[Path, typer.Argument(help="PNG, JPEG, WebP, BMP or GIF.")],
    to: Annotated[
        Literal["auto", "html", "matplotlib", "text"],
        typer.Option(help="What to make; text is only the words in the picture."),
    ] = "auto",
    hints: Annotated[
        Literal["auto", "always", "never"],
        typer.Option(help="Give the model the text read from the picture."),
    ] = "auto",
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.gguf",
            help="Model to use.",
            show_default="viscodex-nano, or the server's only one",
        ),
    ] = None,
    mmproj: Annotated[
        Path | None, typer.Option(help="Vision file that belongs to --model.")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Ask an OpenAI-compatible server, not this machine."),
    ] = None,
    refine: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What to change in --code.")
    ] = None,
    code: Annotated[Path | None, typer.Option(metavar="FILE", help="Code to refine.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampler.")] = 0,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, max=2.0, help="0 is greedy.")
    ] = None,
    grammar: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="GBNF grammar of the code, without its fences."),
    ] = None,
    best_of: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=8,
            metavar="N",
            help="Write N answers, keep the one that draws the likest picture.",
            show_default="as many as suit the model",
        ),
    ] = None,
    repair: Annotated[
        int | None,
        typer.Option(
            min=0, max=5, metavar="N", help="Turns to repair code that fails (1 for charts)."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE|FOLDER", help="Write the code here.")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Render the code to this picture.")
    ] = None,
    split: Annotated[
        Literal["auto", "never"],
        typer.Option(help="Convert pictures too large for the model in parts as well."),
    ] = "auto",
    correct: Annotated[
        bool,
        typer.Option(
            help="Correct words and colours by the picture, where the model's card asks for it."
        ),
    ] = True,
    unwalled: UnwalledOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a picture into code: on stdout, or in --out."""
    from app.conversion import Job, run

    if (refine is None) != (code is None):
        raise bad_input("--refine and --code belong together", "Give both, or neither.")
    if server is not None and mmproj is not None:
        raise bad_input("--mmproj belongs to a model on this machine", "Leave out --server or it.")
    job = Job(
        image=image,
        target=to,
        hints=hints,
        model=model or "",
        mmproj=mmproj,
        server=server,
        refine=None if refine is None or code is None else (refine, _read_text(code)),
        max_tokens=max_tokens,
        seed=seed,
        temperature=temperature,
        grammar=None if grammar is None else _read_text(grammar),
        best_of=best_of,
        repair=repair,
        split=split == "auto",
        correct=correct,
        unwalled=unwalled,
        out=out,
        preview=preview,
    )
    outcome = run(job)
    for warning in outcome.warnings:
        print(f"viscodex: warning: {warning}", file=sys.stderr)
    if as_json:
        print_json(outcome.to_json())
    elif outcome.out is None:
        sys.stdout.write(outcome.code)
    if outcome.failure is not None:
        raise outcome.failure
    if as_json:
        return
    for name, path in (("code", outcome.out), ("preview", outcome.preview)):
        if path is not None:
            print(f"{name + ':':8} {path.absolute()}", file=sys.stderr)
    if outcome.preview is not None and outcome.similarity is not None:
        print(f"alike:   {outcome.similarity.total:.2f} of 1", file=sys.stderr)


@cli.command(epilog=f"Example: viscodex render page.html --out page.png. {EPILOG}")
def render(
    file: Annotated[Path, typer.Argument(help="An .html or .py file.")],
    out: Annotated[Path, typer.Option(metavar="FILE.png", help="Where the picture goes.")],
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Window of a page, in pixels.")
    ] = None,
    unwalled: UnwalledOption = False,
) -> None:
    """Draw a page or a matplotlib script."""
    from app.files import check_writable, write_whole
    from app.rendering import draw, language_of

    target = language_of(file)
    window = _parse_size(size)
    code = _read_text(file)
    check_writable(out)
    write_whole(out, draw(code, target, window, unwalled=unwalled))


@cli.command(epilog=f"Example: viscodex match login.png login.html --out login.html. {EPILOG}")
def match(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="What it should look like.")],
    file: Annotated[Path, typer.Argument(metavar="CODE", help="An .html or .py file.")],
    only: Annotated[
        Literal["colours", "text"] | None, typer.Option(help="By default both.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the code goes, else to stdout.")
    ] = None,
    unwalled: UnwalledOption = False,
) -> None:
    """Correct the words and colours of code by a picture. No model has a part in it."""
    from app.files import check_writable, write_whole
    from app.matching import match as matched
    from app.rendering import language_of
    from engine.images import load_picture
    from engine.matching import MATCHES

    target, code, wanted = language_of(file), _read_text(file), load_picture(picture)
    if out is not None:
        check_writable(out)
    kinds = tuple(MATCHES) if only is None else (only,)
    code, before, after = matched(wanted, code, target, kinds, unwalled=unwalled)
    if out is None:
        sys.stdout.write(code)
    else:
        write_whole(out, code.encode())
    print(f"alike:   {before:.2f} -> {after:.2f} of 1", file=sys.stderr)


@cli.command(epilog=f"Example: viscodex compare login.png preview.png --json. {EPILOG}")
def compare(
    first: Annotated[Path, typer.Argument(metavar="A.png")],
    second: Annotated[Path, typer.Argument(metavar="B.png")],
    text: Annotated[
        bool, typer.Option("--text", help="Read the words of both and compare them too.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw where they differ, in red.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell how alike two pictures are, 0 to 1."""
    from app.files import check_writable, write_whole
    from engine.compare import difference, similarity
    from engine.images import load_picture

    one, other = load_picture(first), load_picture(second)
    if out is not None:
        check_writable(out)
        drawn = io.BytesIO()
        difference(one, other).save(drawn, "PNG")
        write_whole(out, drawn.getvalue())
    if text:
        from engine.hints import read

        figures = asdict(similarity(one, other, read(one), read(other)))
    else:
        figures = asdict(similarity(one, other))
    if as_json:
        print_json(figures)
        return
    for name, figure in figures.items():
        if figure is not None:
            print(f"{name:8} {figure:.3f}")


@cli.command(epilog=EPILOG)
def devices(
    as_json: JsonOption = False,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Forget which devices failed; all are tried again."),
    ] = False,
) -> None:
    """List what llama.cpp can compute on."""
    from engine.devices import list_devices
    from engine.remembered import Memory

    if forget:
        count = Memory().forget()
        print(f"forgot {count} remembered pairs of model and devices", file=sys.stderr)
    found = list_devices()
    if as_json:
        print_json([asdict(device) for device in found])
        return
    for device in found:
        free, total = device.memory_free / 2**30, device.memory_total / 2**30
        print(
            f"{device.name:12} {device.kind:6} {free:6.1f} of {total:.1f} GiB free  "
            f"{device.description}"
        )


@cli.command(epilog=f"Example: viscodex doctor --report report.txt. {EPILOG}")
def doctor(
    as_json: JsonOption = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what helps to find a fault; nothing private."),
    ] = None,
) -> None:
    """Check every part of the installation; exit status 1 if a needed one fails."""
    from app.doctor import examine
    from app.files import check_writable, write_whole

    if report is not None:
        check_writable(report)
    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            mark = "ok" if finding.ok else ("FAILED" if finding.needed else "missing")
            print(f"{mark:8} {finding.name:14} {finding.detail}", flush=True)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    if report is not None:
        from app.report import make_report

        write_whole(report, make_report(findings).for_file(report).encode())
        print(f"report:  {report.absolute()}", file=sys.stderr)
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(1)


def _with_command(arguments: Sequence[str]) -> list[str]:
    """`viscodex picture.png --capture` is `viscodex open picture.png --capture`."""
    if arguments and (arguments[0] in COMMANDS or arguments[0] in ("-h", "--help")):
        return list(arguments)
    return ["open", *arguments]


def _one_line(error: BaseException) -> tuple[str, int]:
    """What to print after `viscodex: error: ` and the exit status."""
    if isinstance(error, VisCodexError):
        parts = [error.message.rstrip(".:") + ".", error.advice]
        return " ".join(" ".join(parts).split()), error.exit_code
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{reason}", 2
    # Errors of the argument parser (click, or the copy of it inside typer).
    show = getattr(error, "format_message", None)
    if show is not None:
        return " ".join(show().split()), int(getattr(error, "exit_code", 2))
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{text}. This should not happen: run again with --debug and report it.", 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `viscodex`; `arguments` default to those of the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in WORKERS:
        return run_worker(given)
    debug = "--debug" in given
    if debug:
        os.environ["VISCODEX_DEBUG"] = "1"  # the worker then shows its own
    given = [argument for argument in given if argument != "--debug"]
    try:
        status = int(cli(_with_command(given), prog_name="viscodex", standalone_mode=False) or 0)
        sys.stdout.flush()
        if status == INTERRUPTED:  # what typer makes of Ctrl-C
            print("viscodex: cancelled", file=sys.stderr)
        return status
    except KeyboardInterrupt:
        print("viscodex: cancelled", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has gone; nothing more can be said there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        text, status = _one_line(error)
        print(f"viscodex: error: {text}", file=sys.stderr)
        return status


if __name__ == "__main__":
    sys.exit(main())

"""The engine beside llama.cpp's own programs: `make bench-peers`.

On the bundled model, and on random weights in the shape of Qwen2.5-VL-3B (Q4_K_M) where a folder
for them is given: they are made there once (12 GB on the way, 4 GB that stay). Runs alternate, so
that other load meets all alike; every figure is a median.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from peers import Command, Run, Server, Setting, data_url, peak_memory
from pictures import SAMPLES, never_seen
from PIL import Image
from rows import Row, print_row

from engine.cancel import CancelFlag
from engine.client import EngineClient
from engine.images import load_picture, to_grid
from engine.llama.library import physical_cores
from engine.llama.sampling import Sampler, Sampling
from engine.llama.session import SessionOptions, VisionSession
from engine.llama.vision import picture_key
from engine.models.card import ModelCard
from engine.models.store import ModelFiles, find_model
from engine.prompt import build_prompt, instruction_for
from engine.protocol import ConvertRequest, Done
from engine.tasks import TASKS
from engine.writing import write

BIG = "qwen2.5-vl-3b"
CONTEXT = 4096
DRAFTED = 256  # tokens of the edited page that are written
EDIT: Mapping[str, str] = {
    "#eef2f7": "#fdf6e3",
    "padding: 28px": "padding: 32px 28px",
    "border-radius: 10px": "border-radius: 16px",
    "font-size: 24px; color: #1d2b3a": "font-size: 28px; color: #0f766e",
}


def big_model(folder: Path) -> ModelFiles:
    """The 3B of random weights in `folder`, made there by our own exporter if need be."""
    out = folder / BIG
    if not (out / "viscodex.json").is_file():
        from training.export import export_checkpoint
        from training.export.quantize import quantize
        from training.shapes import SHAPES, write_random

        card: dict[str, Any] = {
            "family": "qwen2_5_vl",
            "context": CONTEXT,
            "image": {"min_tokens": 64, "max_tokens": 1024},
        }
        checkpoint = write_random(SHAPES[BIG], folder / "checkpoint")
        report = export_checkpoint(
            checkpoint, out, card=card, name=BIG, text_type="BF16", mmproj_type="F16"
        )
        quantize(report.model, out / "model-Q4_K_M.gguf", "Q4_K_M")
        report.model.unlink()
        plain = replace(ModelCard.read(report.card), sha256={})
        report.card.write_text(json.dumps(plain.to_json(), indent=2) + "\n", encoding="utf-8")
    return find_model(out)


def figures(client: EngineClient, request: ConvertRequest) -> dict[str, Any]:
    """What the engine tells of one conversion."""
    last = list(client.convert(request))[-1]
    if not isinstance(last, Done):
        raise RuntimeError(f"the conversion ended with {last}")
    return last.stats


def beside(files: ModelFiles, tools: Path, tokens: int, repeats: int, work: Path) -> Iterator[Row]:
    """First token, speed and memory beside both programs; second turns; candidates."""
    # The text reader is ours alone: it is left out.
    files = replace(files, card=replace(files.card, hints="never", context=CONTEXT))
    setting = Setting(files, physical_cores(), CONTEXT, tokens)
    task = TASKS["html"]
    short = files.card.prompt == "short"
    words = instruction_for(task, None, short)
    command = Command(tools / "llama-mtmd-cli", setting)
    runs: dict[str, list[Run]] = {"ours": [], "command": [], "server": []}
    second: dict[str, list[float]] = {"ours": [], "server": []}
    candidates = []
    with EngineClient(files) as client, Server(tools / "llama-server", setting) as server:
        wanted = {"target": "html", "hints": "never", "temperature": 0.0, "max_tokens": tokens}

        def convert(number: int, **more: Any) -> dict[str, Any]:
            image = never_seen(SAMPLES / "login.png", number)
            return figures(client, ConvertRequest(image, **wanted, **more))

        peak = 0
        for number in range(repeats + 1):
            picture = to_grid(
                load_picture(never_seen(SAMPLES / "login.png", number)), files.card.image
            )
            path = work / "picture.png"
            picture.save(path)
            found = convert(number)
            ours = Run(found["first_token"], found["tokens_per_second"], found["prompt_tokens"])
            again = convert(number)["first_token"]
            asked = server.run(data_url(picture), words)
            asked_again = server.run(data_url(picture), words).first
            told = command.run(path, words)
            peak = max(peak, peak_memory(client.pid or 0))
            if number == 0:  # to warm up
                continue
            for name, run in (("ours", ours), ("command", told), ("server", asked)):
                runs[name].append(run)
            second["ours"].append(again / ours.first)
            second["server"].append(asked_again / asked.first)
        for number in range(repeats):
            one = convert(100 + number, candidates=1)["total"]
            four = convert(200 + number, candidates=4)["total"]
            candidates.append(four / one)
    for name, list_of_runs in runs.items():
        first = statistics.median(run.first for run in list_of_runs)
        speed = statistics.median(run.speed for run in list_of_runs)
        counts = {run.prompt_tokens for run in list_of_runs}
        print(
            f"  {name:8} {first:7.3f} s to the first token, {speed:7.1f} tokens/s, prompt {counts}"
        )
    for peer in ("command", "server"):
        yield Row(f"first token, ours / {peer}'s", _ratio(runs, peer, "first"), 1.0, "x")
        yield Row(f"seconds a token, ours / {peer}'s", 1 / _ratio(runs, peer, "speed"), 1.0, "x")
    yield Row("second turn / first", statistics.median(second["ours"]), 0.2, "x")
    print(f"  the server's second turn / first: {statistics.median(second['server']):.3f} x")
    yield Row("best of 4 / one answer", statistics.median(candidates), 1.6, "x")
    for name, most in (("command", command.peak), ("server", server.peak)):
        yield Row(f"peak memory, ours / {name}'s", peak / most, 1.0, "x")
    print(f"  most memory: {peak / 1e6:.0f} MB, {command.peak / 1e6:.0f}, {server.peak / 1e6:.0f}")


def _ratio(runs: dict[str, list[Run]], peer: str, what: str) -> float:
    """The median of ours over theirs, run by run."""
    pairs = zip(runs["ours"], runs[peer], strict=True)
    return statistics.median(getattr(ours, what) / getattr(theirs, what) for ours, theirs in pairs)


def drafted(files: ModelFiles, repeats: int) -> Iterator[Row]:
    """An edit of a page: written with the old code as draft, and without.

    Random weights would not write the edited page, so it is dictated to them: every pass, row and
    sampling is the real one.
    """
    text: Iterator[int] = iter(())
    limits = files.card.image
    options = SessionOptions(context=CONTEXT, limits=limits)
    session = VisionSession(
        files.model, files.mmproj, options, CancelFlag.private(), lambda _part: None
    )
    draw = session.main.draw

    def dictated(sampler: Sampler, row: int = -1) -> int:
        draw(sampler, row)
        return next(text)

    session.main.draw = dictated  # type: ignore[method-assign]
    code = (SAMPLES / "sources" / "login.html").read_text(encoding="utf-8")
    edited = code
    for before, after in EDIT.items():
        if before not in edited:
            raise RuntimeError(f"the sample page has no {before!r} to change")
        edited = edited.replace(before, after)
    old, new = (session.vocabulary.tokenize(text, special=False) for text in (code, edited))
    new = new[:DRAFTED]
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    stays = sum(block.size for block in blocks) / len(new)
    picture = to_grid(Image.open(SAMPLES / "login.png").convert("RGB"), limits)
    parts = build_prompt("", instruction_for(TASKS["html"], None), TASKS["html"].prefill)

    def once(known: Sequence[int] | None) -> float:
        with session.tokenize(parts, picture, picture_key(picture)) as chunks:
            session.prefill(chunks, lambda _part: None)
        nonlocal text
        text = iter(new)
        began = time.perf_counter()
        write(
            session, [Sampling()], "", len(new), old=known, on_text=lambda *_: None,
            on_step=lambda: None, on_end=lambda *_: None,
        )  # fmt: skip
        return time.perf_counter() - began

    once(None)
    pairs = [(once(None), once(old)) for _ in range(repeats)]
    session.close()
    plain = statistics.median(slow for slow, _ in pairs)
    print(
        f"  {len(new)} tokens, {stays:.0%} of them old; without a draft {len(new) / plain:.1f} / s"
    )
    # As a budget: seconds with the draft over seconds without, at most 1 / 2.5.
    ratio = statistics.median(fast / slow for slow, fast in pairs)
    yield Row("edit with a draft / without", ratio, 0.4, "x")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tools", type=Path, required=True, help="folder of llama-server and so on"
    )
    parser.add_argument("--big", type=Path, help="folder for the model of 3B shape")
    parser.add_argument("--only-big", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        if not options.only_big:
            print("viscodex-nano")
            for row in beside(find_model(), options.tools, 200, options.repeats, Path(work)):
                print_row(row)
        if options.big:
            files = big_model(options.big)
            print(BIG)
            for row in beside(files, options.tools, 32, max(1, options.repeats // 2), Path(work)):
                print_row(row)
            for row in drafted(files, 2):
                print_row(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())

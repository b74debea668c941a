"""One walk through the real application on a real X server: from a page on the screen to its
code in a file, edited and refined, and back out of the history on the next day."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.compare import similarity
from tests.app.desktop import ROOT, need, skip_without_xcb, x_environment, x_server
from tests.app.drive_walk import INSTRUCTION, LINE, MODEL, REFINED_COLOUR, TYPED, TYPED_COLOUR
from tests.engine.scripted_model import build, chain

PAGE = (120, 90, 480, 386)
SCREEN = (1360, 860)
REFINED = (
    "<!DOCTYPE html>\n", "<html>\n", f'<body style="background: {REFINED_COLOUR}">\n', "<h1>",
    "Welcome back", "</h1>\n", "</body>\n", "</html>", "\n``", "`\nmore",
)  # fmt: skip


@contextmanager
def page_on_screen(environment: dict[str, str]) -> Iterator[None]:
    """The page of the sample in a window of another program."""
    source = ROOT / "assets" / "samples" / "sources" / "login.html"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.app.show_page", str(source), *map(str, PAGE)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    try:
        if process.stdout.readline() != "shown\n":
            process.kill()
            stderr = process.stderr.read()
            skip_without_xcb(stderr)
            raise AssertionError(stderr)
        yield
    finally:
        process.kill()
        process.communicate(timeout=20)


def add_model(models: Path) -> None:
    """A model of the user's that takes instructions; what it says is written down."""
    folder = models / MODEL
    files = build(folder, chain(*REFINED), context=16384, name=MODEL, prompt="full")
    (folder / "viscodex.json").write_text(json.dumps(files.card.to_json()))


def drive(part: str, folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """One run of the application, from its start to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.app.drive_walk", part, str(folder), *map(str, PAGE)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


@pytest.mark.display
@pytest.mark.slow
def test_from_the_screen_to_the_file_and_back_from_the_history(tmp_path: Path) -> None:
    need("xdotool", "Xvfb", "openbox")
    add_model(tmp_path / "models")
    with x_server(*SCREEN) as display:
        environment = x_environment(display, tmp_path)
        environment["VISCODEX_MODELS"] = str(tmp_path / "models")
        with page_on_screen(environment):
            first = drive("first", tmp_path, environment)
        again = drive("again", tmp_path, environment)

    # The snip is the page, pixel for pixel what stood there.
    assert first["snip"] == [480, 386]
    with (
        Image.open(tmp_path / "snip.png") as snip,
        Image.open(ROOT / "assets" / "samples" / "login.png") as page,
    ):
        assert similarity(snip.convert("RGB"), page.convert("RGB")).total > 0.9

    # The bundled model writes a page with its words; the preview shows more than a ground.
    assert first["model"] == "viscodex-nano"
    assert not first["instructions"]
    converted = first["converted"]
    assert converted.lstrip().lower().startswith("<!doctype html")
    assert "Welcome back" in converted
    assert max(first["preview"].values()) < 0.97

    # What is typed stands in code and preview.
    assert first["edited"] == f"{converted}\n{LINE}"
    assert TYPED in first["edited"]
    assert TYPED_COLOUR not in first["preview"] and TYPED_COLOUR in first["edited_preview"]

    # The other model does what it was told, as one more version.
    assert first["refined"] == "".join(REFINED[:-2])
    assert TYPED_COLOUR not in first["refined_preview"]
    assert first["refined_preview"][REFINED_COLOUR] > 0.3
    kinds = [("conversion", ""), ("edit", ""), ("refine", INSTRUCTION)]
    assert [tuple(one) for one in first["versions"]] == kinds

    assert (tmp_path / "saved.html").read_text() == first["refined"] + "\n"
    assert first["clipboard"] == first["refined"]

    # The next start brings all of it back.
    assert [tuple(one) for one in again["versions"]] == kinds
    assert again["codes"] == [first["refined"], first["edited"], converted]
    assert again["preview"][REFINED_COLOUR] > 0.3

"""The `viscodex` command, run as a person runs it, with the real worker and a real model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


def viscodex(*arguments: object, folder: Path = ROOT, timeout: float = 120) -> Ended:
    result = subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    return Ended(result.returncode, result.stdout, result.stderr)


def assert_one_line(ended: Ended, status: int, *words: str) -> None:
    assert ended.status == status, ended
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert len(lines) == 1, ended.err
    assert lines[0].startswith("viscodex: error: ")
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in ended.err


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Arguments that choose a model: none for the bundled one, else a tiny one made here."""
    bundled = ROOT / "assets" / "models" / "viscodex-nano"
    if list(bundled.glob("*.gguf")):
        return []
    return tiny_model_arguments(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    return tiny_model_arguments(tmp_path_factory.mktemp("tiny"))


def tiny_model_arguments(folder: Path) -> list[object]:
    from tests.fixtures.tiny_model import build_tiny_model

    files = build_tiny_model(folder)
    return ["--model", files.model, "--mmproj", files.mmproj]


# Convert ----------------------------------------------------------------------------------------


class TestConvert:
    def test_an_interface_to_code_and_preview(
        self, samples: Path, tmp_path: Path, model: list[object]
    ) -> None:
        preview = tmp_path / "p.png"
        ended = viscodex(
            "convert", samples / "login.png", "--to", "html", "--preview", preview, "--json", *model
        )
        assert ended.status == 0, ended.err
        answer = json.loads(ended.out)
        assert answer["target"] == "html"
        assert answer["code"].strip()
        assert answer["finish_reason"]
        assert answer["timings"]["tokens"] > 0
        for name in ("load", "encode", "first_token", "total", "tokens_per_second"):
            assert answer["timings"][name] > 0, name
        assert 0.0 <= answer["similarity"]["total"] <= 1.0
        assert Image.open(preview).size == Image.open(samples / "login.png").size

    def test_code_goes_to_stdout_and_nothing_else_does(
        self, samples: Path, model: list[object]
    ) -> None:
        ended = viscodex(
            "convert", samples / "login.png", "--to", "html", "--max-tokens", 60, *model
        )
        assert ended.status == 0, ended.err
        assert ended.out.endswith("\n")
        assert "```" not in ended.out

    def test_a_folder_as_out_names_the_file_after_the_picture(
        self, samples: Path, tmp_path: Path, model: list[object]
    ) -> None:
        arguments = ("convert", samples / "chart.png", "--to", "matplotlib", "--out", tmp_path)
        ended = viscodex(*arguments, "--max-tokens", 200, *model)
        assert ended.status == 0, ended.err
        assert ended.out == ""
        assert [path.name for path in tmp_path.iterdir()] == ["chart.py"]
        assert str(tmp_path / "chart.py") in ended.err

    def test_the_same_seed_gives_the_same_code(self, samples: Path, model: list[object]) -> None:
        arguments = ("convert", samples / "pricing.png", "--to", "html", "--max-tokens", 80, *model)
        first, second = (viscodex(*arguments, "--seed", 7).out for _ in range(2))
        assert first == second != ""

    def test_text_needs_no_model(self, samples: Path) -> None:
        ended = viscodex("convert", samples / "login.png", "--to", "text")
        assert ended.status == 0, ended.err
        lines = ended.out.splitlines()
        assert "Welcome back" in lines
        assert "Email" in lines
        assert lines.index("Email") < lines.index("Password")

    def test_text_as_json_has_places_and_colours(self, samples: Path) -> None:
        ended = viscodex("convert", samples / "login.png", "--to", "text", "--json")
        answer = json.loads(ended.out)
        (title,) = [line for line in answer["lines"] if line["text"] == "Welcome back"]
        x0, y0, x1, y1 = title["box"]
        # Drawn at 80..237 x 72..95, in #1d2b3a on white.
        assert abs(x0 - 80) < 8
        assert abs(x1 - 238) < 8
        assert y0 < 83 < y1
        assert sum(abs(a - b) for a, b in zip(title["ink"], (0x1D, 0x2B, 0x3A), strict=True)) < 60
        assert title["ground"] == [255, 255, 255]

    @pytest.mark.skipif(os.name != "posix", reason="signals")
    def test_ctrl_c_ends_it_cleanly(
        self, samples: Path, tmp_path: Path, model: list[object]
    ) -> None:
        out = tmp_path / "never.html"
        arguments = ["convert", samples / "pricing.png", "--to", "html", "--out", out, *model]
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a process group of its own, as a terminal gives one
        )
        time.sleep(1.0)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
        assert process.returncode == 130, stderr
        assert stdout == ""
        assert stderr.strip() == "viscodex: cancelled"
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)  # the worker has gone as well


# Bad input --------------------------------------------------------------------------------------


def bomb(path: Path) -> None:
    """A PNG that claims 20,000 x 20,000 pixels, a few kB on disk."""
    Image.new("1", (20000, 20000)).save(path, optimize=True)


def not_an_image(path: Path) -> None:
    path.write_text("Dear diary, today I was renamed to .png.")


def cut_off(path: Path) -> None:
    Image.effect_noise((300, 200), 40).save(path)
    path.write_bytes(path.read_bytes()[:4000])


def strip(path: Path) -> None:
    Image.new("RGB", (400, 3), "red").save(path)


def vector(path: Path) -> None:
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"/>')


def chatty(path: Path) -> None:
    """A text chunk of PNG that unpacks to 200 MB."""
    extra = PngImagePlugin.PngInfo()
    extra.add_text("Comment", "a" * 200_000_000, zip=True)
    Image.new("RGB", (64, 64)).save(path, pnginfo=extra)


PICTURES = {
    "missing": ("missing.png", None, "missing.png"),
    "empty": ("empty.png", lambda path: path.write_bytes(b""), "empty"),
    "text": ("diary.png", not_an_image, "not a picture"),
    "svg": ("logo.svg", vector, "not a picture"),
    "unknown extension": ("notes.xyz", not_an_image, "not a picture"),
    "bomb": ("bomb.png", bomb, "too many pixels"),
    "strip": ("strip.png", strip, "400 x 3"),
    "cut off": ("cut.png", cut_off, "damaged"),
    "chatty": ("chatty.png", chatty, "chatty.png"),
    "folder": ("folder.png", lambda path: path.mkdir(), "folder"),
}


class TestBadInput:
    @pytest.mark.parametrize("case", PICTURES)
    def test_pictures(self, tmp_path: Path, case: str) -> None:
        name, make, word = PICTURES[case]
        picture = tmp_path / name
        if make is not None:
            make(picture)
        out = tmp_path / "out"
        out.mkdir()
        arguments = ("--out", out / "code.html", "--preview", out / "p.png")
        start = time.perf_counter()
        assert_one_line(viscodex("convert", picture, *arguments), 2, word)
        assert time.perf_counter() - start < 10
        assert list(out.iterdir()) == []

    def test_a_picture_with_the_wrong_extension_is_read_all_the_same(self, tmp_path: Path) -> None:
        picture = tmp_path / "photo.dat"
        Image.new("RGB", (120, 80), "white").save(picture, "PNG")
        ended = viscodex("convert", picture, "--to", "text")
        assert ended.status == 0
        assert ended.out == ""

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            (("--to", "latex"), "latex"),
            (("--hints", "perhaps"), "perhaps"),
            (("--max-tokens", "0"), "max-tokens"),
            (("--temperature", "-1"), "temperature"),
            (("--refine", "bluer"), "--code"),
            (("--refine", "bluer", "--code", "nothing.html"), "nothing.html"),
            (("--out", "no/such/folder/x.html"), "folder"),
            (("--preview", "."), "folder"),
            (("--model", "no-such-model"), "no-such-model"),
            (("--model", "no-such.gguf"), "no-such.gguf"),
            (("--colour", "blue"), "--colour"),
        ],
    )
    def test_options(self, samples: Path, tmp_path: Path, arguments: tuple, word: str) -> None:
        ended = viscodex("convert", samples / "login.png", *arguments, folder=tmp_path)
        assert_one_line(ended, 2, word)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("content", [b"", b"GGUF", b"PK\x03\x04" * 40, b"GGUF" + b"\xff" * 200])
    def test_a_broken_model(self, samples: Path, tmp_path: Path, content: bytes) -> None:
        broken = tmp_path / "model.gguf"
        broken.write_bytes(content)
        ended = viscodex("convert", samples / "login.png", "--model", broken, "--mmproj", broken)
        assert_one_line(ended, 2, "model.gguf")

    def test_a_model_cut_off(self, samples: Path, tmp_path: Path, tiny: list[object]) -> None:
        whole = Path(str(tiny[1])).read_bytes()
        short = tmp_path / "short.gguf"
        short.write_bytes(whole[: len(whole) * 2 // 3])
        ended = viscodex("convert", samples / "login.png", "--model", short, *tiny[2:])
        assert_one_line(ended, 2, "short.gguf", "cut off")

    def test_a_vision_file_as_model(self, samples: Path, tiny: list[object]) -> None:
        ended = viscodex("convert", samples / "login.png", "--model", tiny[3], "--mmproj", tiny[3])
        assert_one_line(ended, 2, "vision file")

    def test_no_model_at_all_is_said_before_any_work(self, tmp_path: Path) -> None:
        ended = viscodex("convert", tmp_path / "x.png", "--model", tmp_path / "y.gguf")
        assert_one_line(ended, 2, "x.png")

    def test_debug_shows_the_traceback(self, tmp_path: Path) -> None:
        ended = viscodex("convert", tmp_path / "x.png", "--debug")
        assert ended.status == 2
        assert "Traceback" in ended.err
        assert ended.err.splitlines()[-1].startswith("viscodex: error: ")


# The other commands -----------------------------------------------------------------------------


class TestRender:
    def test_a_page(self, samples: Path, tmp_path: Path) -> None:
        out = tmp_path / "page.png"
        page = samples / "sources" / "login.html"
        assert viscodex("render", page, "--out", out, "--size", "480x386") == Ended(0, "", "")
        assert Image.open(out).size == (480, 386)
        same = viscodex("compare", out, samples / "login.png", "--json")
        assert json.loads(same.out)["total"] > 0.97

    def test_a_chart(self, samples: Path, tmp_path: Path) -> None:
        out = tmp_path / "chart.png"
        assert viscodex("render", samples / "sources" / "chart.py", "--out", out).status == 0
        assert Image.open(out).size == (520, 360)

    def test_a_page_is_as_high_as_its_content(self, tmp_path: Path) -> None:
        page, out = tmp_path / "tall.html", tmp_path / "tall.png"
        page.write_text("<!DOCTYPE html><body style='margin:0'><div style='height:1700px'></div>")
        assert viscodex("render", page, "--out", out).status == 0
        assert Image.open(out).size == (1024, 1700)

    def test_a_script_that_fails_names_its_line(self, tmp_path: Path) -> None:
        script, out = tmp_path / "bad.py", tmp_path / "bad.png"
        script.write_text("import matplotlib.pyplot as plt\nplt.plot([1, 2], [1])\n")
        out.write_bytes(b"older picture")
        ended = viscodex("render", script, "--out", out)
        assert_one_line(ended, 1, "line 2")
        assert out.read_bytes() == b"older picture"
        assert len(list(tmp_path.iterdir())) == 2

    @pytest.mark.parametrize(
        ("file", "arguments", "word"),
        [
            ("no.html", (), "no.html"),
            ("notes.txt", (), "notes.txt"),
            ("page.html", ("--size", "wide"), "wide"),
            ("page.html", ("--size", "9x99999"), "9x99999"),
        ],
    )
    def test_bad_input(self, tmp_path: Path, file: str, arguments: tuple, word: str) -> None:
        (tmp_path / "page.html").write_text("<p>hi</p>")
        (tmp_path / "notes.txt").write_text("hi")
        ended = viscodex("render", tmp_path / file, "--out", tmp_path / "x.png", *arguments)
        assert_one_line(ended, 2, word)
        assert not (tmp_path / "x.png").exists()


class TestCompare:
    def test_figures(self, samples: Path) -> None:
        ended = viscodex("compare", samples / "login.png", samples / "pricing.png", "--json")
        figures = json.loads(ended.out)
        assert set(figures) == {"total", "layout", "colour", "pixels", "text"}
        assert figures["total"] < 0.5
        assert figures["text"] is None

    def test_text(self, samples: Path) -> None:
        ended = viscodex("compare", samples / "login.png", samples / "login.png", "--text")
        assert ended.out.splitlines()[-1].split() == ["text", "1.000"]

    def test_bad_input(self, samples: Path) -> None:
        assert_one_line(viscodex("compare", samples / "login.png", "no.png"), 2, "no.png")


class TestInspection:
    def test_devices(self) -> None:
        found = json.loads(viscodex("devices", "--json").out)
        assert any(device["kind"] == "cpu" for device in found)
        assert all(device["memory_total"] >= device["memory_free"] >= 0 for device in found)
        assert "CPU" in viscodex("devices").out

    def test_doctor_looks_at_every_part(self) -> None:
        ended = viscodex("doctor", "--json")
        findings = {finding["name"]: finding for finding in json.loads(ended.out)}
        for name in ("engine", "devices", "text reader", "html preview", "chart preview"):
            assert findings[name]["ok"], findings[name]
        needed = [finding["ok"] for finding in findings.values() if finding["needed"]]
        assert ended.status == (0 if all(needed) else 1)

    def test_models_of_the_users_own_folder(
        self, tmp_path: Path, tiny: list[object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "mine"
        folder.mkdir()
        for source in tiny[1::2]:
            (folder / Path(str(source)).name).write_bytes(Path(str(source)).read_bytes())
        names = [path.name for path in folder.iterdir()]
        card = {"name": "mine", "sha256": dict.fromkeys(names, "0" * 64)}
        (folder / "viscodex.json").write_text(json.dumps(card))
        monkeypatch.setenv("VISCODEX_MODELS", str(tmp_path))
        assert "mine" in viscodex("models", "list").out
        assert any(
            row["name"] == "mine" for row in json.loads(viscodex("models", "list", "--json").out)
        )
        ended = viscodex("models", "verify", "mine")
        assert ended.status == 1
        assert ended.out.count("BROKEN") == 2

    def test_verify_of_an_unknown_model(self) -> None:
        assert_one_line(viscodex("models", "verify", "no-such"), 2, "no-such")


class TestWithoutCommand:
    def test_help_names_every_command(self) -> None:
        ended = viscodex("--help")
        assert ended.status == 0
        for name in ("convert", "render", "compare", "models", "devices", "doctor"):
            assert name in ended.out
        assert "open " not in ended.out.split("Commands")[1]

    def test_a_misspelt_command_is_told_apart_from_a_picture(self) -> None:
        assert_one_line(viscodex("convrt"), 2, "convrt", "convert")

    @pytest.mark.skipif(sys.platform != "linux", reason="only there a display can be missing")
    def test_no_display(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
            monkeypatch.delenv(name, raising=False)
        assert_one_line(viscodex(), 1, "display", "viscodex convert")

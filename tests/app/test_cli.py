"""The `viscodex` command, run as a person runs it: the real worker, real model files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from PIL import Image, PngImagePlugin

from engine.compare import similarity
from tests.engine.scripted_model import Script, build, chain, write_vision

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "assets" / "models" / "viscodex-nano"


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


PAGE = ("<!DOCTYPE html>\n", "<body>", "<p>", "Sign in", "</p>", "</body>", "\n``", "`\nmore")
CHART = (
    "import matplotlib.pyplot as plt\n",
    "plt.bar([1, 2], [3, 4])\n",
    "plt.show()\n",
    "<|im_end|>",
)
WORDS = [f"w{index} " for index in range(100)]
ENDLESS = {f"w{i} ": {f"w{(i * 7 + k) % 100} ": 1.0 for k in range(9)} for i in range(100)}
# Real GGUF files whose answers are written down.
SCRIPTS = {
    "page": chain(*PAGE),
    "chart": replace(chain(*CHART), follows={**chain(*CHART).follows, "```": {"python": 5.0}}),
    "refusal": chain("I ", "can", "not.", "<|im_end|>"),
    "endless": Script(words=WORDS, follows={"\n": {"w0 ": 5.0}, **ENDLESS}),
}


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of models by what they answer."""
    root = tmp_path_factory.mktemp("models")
    for name, script in SCRIPTS.items():
        files = build(root / name, script)
        card = json.dumps({**files.card.to_json(), "name": name})
        (root / name / "viscodex.json").write_text(card)
    return {name: root / name for name in SCRIPTS}


# Convert ----------------------------------------------------------------------------------------


class TestConvert:
    def test_an_interface_to_code_preview_and_figures(
        self, samples: Path, tmp_path: Path, scripted: dict[str, Path]
    ) -> None:
        preview = tmp_path / "p.png"
        arguments = ("convert", samples / "login.png", "--preview", preview, "--json")
        ended = viscodex(*arguments, "--model", scripted["page"])
        assert ended.status == 0, ended.err
        answer = json.loads(ended.out)
        assert answer["target"] == "html"
        assert 0.5 < answer["confidence"] < 1.0
        assert answer["code"] == "<!DOCTYPE html>\n<body><p>Sign in</p></body>\n"
        assert answer["model"] == "page"
        assert answer["finish_reason"] == "fence"
        assert answer["timings"]["tokens"] >= len(PAGE) - 1
        for name in ("load", "encode", "first_token", "total", "tokens_per_second"):
            assert answer["timings"][name] > 0, name
        assert 0.0 < answer["similarity"]["total"] < 0.9
        assert answer["warnings"] == []
        drawn = Image.open(preview).convert("RGB")
        assert drawn.size == Image.open(samples / "login.png").size
        assert len(drawn.getcolors(1 << 16)) > 10  # the words are there

    def test_code_goes_to_stdout_and_nothing_else_does(
        self, samples: Path, scripted: dict[str, Path]
    ) -> None:
        ended = viscodex("convert", samples / "chart.png", "--model", scripted["chart"])
        assert ended == Ended(0, "".join(CHART[:-1]), "")

    def test_a_folder_as_out_names_the_file_after_the_picture(
        self, samples: Path, tmp_path: Path, scripted: dict[str, Path]
    ) -> None:
        arguments = ("convert", samples / "chart.png", "--out", tmp_path)
        preview = tmp_path / "preview.png"
        ended = viscodex(*arguments, "--preview", preview, "--model", scripted["chart"])
        assert ended.status == 0, ended.err
        assert ended.out == ""
        assert sorted(path.name for path in tmp_path.iterdir()) == ["chart.py", "preview.png"]
        assert (tmp_path / "chart.py").read_text() == "".join(CHART[:-1])
        assert f"code:    {tmp_path / 'chart.py'}" in ended.err
        assert f"preview: {preview}" in ended.err

    def test_an_answer_cut_off_is_said(self, samples: Path, scripted: dict[str, Path]) -> None:
        arguments = ("convert", samples / "login.png", "--max-tokens", 3, "--to", "html")
        ended = viscodex(*arguments, "--model", scripted["page"])
        assert ended.status == 0
        assert ended.out == "<!DOCTYPE html>\n<body><p>\n"
        assert ended.err.startswith("viscodex: warning: ")
        assert "--max-tokens" in ended.err

    def test_a_preview_that_fails_leaves_the_code(
        self, samples: Path, tmp_path: Path, scripted: dict[str, Path]
    ) -> None:
        out, preview = tmp_path / "x.py", tmp_path / "x.png"
        arguments = ("convert", samples / "chart.png", "--to", "matplotlib", "--max-tokens", 1)
        arguments += ("--out", out, "--preview", preview)
        ended = viscodex(*arguments, "--model", scripted["chart"])
        assert ended.status == 1
        assert out.read_text() == CHART[0]
        assert "error" in ended.err.splitlines()[-1]
        assert [path.name for path in tmp_path.iterdir()] == ["x.py"]

    def test_the_same_seed_gives_the_same_code(
        self, samples: Path, scripted: dict[str, Path]
    ) -> None:
        arguments = ("convert", samples / "pricing.png", "--to", "matplotlib", "--temperature", 1)
        arguments += ("--max-tokens", 40, "--model", scripted["endless"], "--seed")
        first, second, third = (viscodex(*arguments, seed).out for seed in (7, 7, 8))
        assert first == second != third
        assert first.startswith("w0 w")

    def test_text_needs_no_model(self, samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ended = viscodex("convert", samples / "login.png", "--to", "text", "--model", "no-such")
        assert ended.status == 0, ended.err
        lines = ended.out.splitlines()
        assert "Welcome back" in lines
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
        self, samples: Path, tmp_path: Path, scripted: dict[str, Path]
    ) -> None:
        out = tmp_path / "never.html"
        arguments = ["convert", samples / "pricing.png", "--to", "html", "--out", out]
        arguments += ["--temperature", 1, "--model", scripted["endless"]]
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        worker = wait_for_child(process.pid)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
        assert process.returncode == 130, stderr
        assert stdout == ""
        assert stderr.strip() == "viscodex: cancelled"
        assert list(tmp_path.iterdir()) == []
        assert not psutil.pid_exists(worker)

    @pytest.mark.skipif(not list(BUNDLED.glob("*.gguf")), reason="no bundled model here")
    @pytest.mark.parametrize(("sample", "target"), [("login", "html"), ("chart", "matplotlib")])
    def test_the_bundled_model(
        self, samples: Path, tmp_path: Path, sample: str, target: str
    ) -> None:
        preview = tmp_path / "p.png"
        ended = viscodex("convert", samples / f"{sample}.png", "--preview", preview, "--json")
        assert ended.status == 0, ended.err
        answer = json.loads(ended.out)
        assert answer["target"] == target
        assert answer["model"] == "viscodex-nano"
        blank = similarity_to_blank(samples / f"{sample}.png")
        assert answer["similarity"]["total"] > blank + 0.1


def wait_for_child(parent: int) -> int:
    """The worker of a command, once it has run for a moment."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for child in psutil.Process(parent).children():
            if "engine.worker" in child.cmdline():
                time.sleep(0.5)
                return child.pid
        time.sleep(0.05)
    raise AssertionError("the command started no worker")


def similarity_to_blank(path: Path) -> float:
    picture = Image.open(path).convert("RGB")
    return similarity(picture, Image.new("RGB", picture.size, "white")).total


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


PICTURES: dict[str, tuple[str, Callable[[Path], object] | None, str]] = {
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

    def test_a_model_cut_off(
        self, samples: Path, tmp_path: Path, scripted: dict[str, Path]
    ) -> None:
        whole = (scripted["page"] / "model-f32.gguf").read_bytes()
        short = tmp_path / "short.gguf"
        short.write_bytes(whole[: len(whole) * 2 // 3])
        mmproj = scripted["page"] / "mmproj-f32.gguf"
        ended = viscodex("convert", samples / "login.png", "--model", short, "--mmproj", mmproj)
        assert_one_line(ended, 2, "short.gguf", "cut off")

    def test_a_vision_file_as_model(self, samples: Path, scripted: dict[str, Path]) -> None:
        mmproj = scripted["page"] / "mmproj-f32.gguf"
        ended = viscodex("convert", samples / "login.png", "--model", mmproj, "--mmproj", mmproj)
        assert_one_line(ended, 2, "vision file")

    def test_a_vision_file_of_another_model(
        self, samples: Path, tmp_path: Path, scripted: dict[str, Path]
    ) -> None:
        other = tmp_path / "mmproj-other.gguf"
        write_vision(other, projected=256)
        model = scripted["page"] / "model-f32.gguf"
        ended = viscodex("convert", samples / "login.png", "--model", model, "--mmproj", other)
        assert_one_line(ended, 2, "mmproj-other.gguf", "does not belong", "256")

    def test_an_answer_without_code(
        self, samples: Path, tmp_path: Path, scripted: dict[str, Path]
    ) -> None:
        out, preview = tmp_path / "code.html", tmp_path / "p.png"
        arguments = ("convert", samples / "login.png", "--to", "html", "--out", out)
        ended = viscodex(*arguments, "--preview", preview, "--model", scripted["refusal"])
        assert_one_line(ended, 1, "no HTML")
        assert list(tmp_path.iterdir()) == []

    def test_code_that_does_not_parse_is_said(
        self, samples: Path, scripted: dict[str, Path]
    ) -> None:
        arguments = ("convert", samples / "chart.png", "--to", "matplotlib")
        ended = viscodex(*arguments, "--model", scripted["refusal"])
        assert ended.status == 0
        assert ended.out == "I cannot.\n"
        assert "does not parse" in ended.err

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
        self, scripted: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = scripted["page"]
        monkeypatch.setenv("VISCODEX_MODELS", str(folder.parent))
        listed = viscodex("models", "list").out
        assert all(name in listed for name in SCRIPTS)
        rows = json.loads(viscodex("models", "list", "--json").out)
        assert {"page", "chart"} <= {row["name"] for row in rows}
        assert viscodex("models", "verify", "page").status == 0

    def test_verify_finds_a_changed_file(self, tmp_path: Path, scripted: dict[str, Path]) -> None:
        folder = tmp_path / "mine"
        shutil.copytree(scripted["page"], folder)
        card = json.loads((folder / "viscodex.json").read_text())
        card["sha256"] = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.glob("*.gguf")
        }
        (folder / "viscodex.json").write_text(json.dumps(card))
        assert viscodex("models", "verify", folder).status == 0
        model = folder / "model-f32.gguf"
        data = bytearray(model.read_bytes())
        data[-1] ^= 1
        model.write_bytes(data)
        ended = viscodex("models", "verify", folder)
        assert ended.status == 1
        assert [line.split()[0] for line in ended.out.splitlines()] == ["BROKEN", "ok"]

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

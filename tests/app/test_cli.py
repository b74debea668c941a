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
from pathlib import Path

import psutil
import pytest
from PIL import Image

from engine.compare import similarity
from engine.remembered import Memory, Record
from engine.sandbox.landlock import abi_version
from tests.app.command import (
    CHART,
    PAGE,
    ROOT,
    SCRIPTS,
    Ended,
    assert_one_line,
    build_scripted,
    viscodex,
)

BUNDLED = ROOT / "assets" / "models" / "viscodex-nano"


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_scripted(tmp_path_factory.mktemp("models"))


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

    def test_a_preview_that_fails_leaves_the_code_on_stdout(
        self, samples: Path, tmp_path: Path, scripted: dict[str, Path]
    ) -> None:
        arguments = ("convert", samples / "chart.png", "--to", "matplotlib", "--max-tokens", 1)
        arguments += ("--preview", tmp_path / "x.png", "--model", scripted["chart"])
        ended = viscodex(*arguments)
        assert ended.status == 1
        assert ended.out == CHART[0]
        told = viscodex(*arguments, "--json")
        assert told.status == 1
        answer = json.loads(told.out)
        assert answer["code"] == CHART[0]
        assert answer["preview_error"]
        assert not list(tmp_path.iterdir())

    def test_the_same_seed_gives_the_same_code(
        self, samples: Path, scripted: dict[str, Path]
    ) -> None:
        arguments = ("convert", samples / "pricing.png", "--to", "matplotlib", "--temperature", 1)
        arguments += ("--max-tokens", 40, "--model", scripted["endless"], "--seed")
        first, second, third = (viscodex(*arguments, seed).out for seed in (7, 7, 8))
        assert first == second != third
        assert first.startswith("w0 w")

    def test_a_grammar(self, samples: Path, tmp_path: Path, scripted: dict[str, Path]) -> None:
        (tmp_path / "page.gbnf").write_text('root ::= [^/]+ "/p>"')
        arguments = ("--to", "html", "--model", scripted["page"], "--max-tokens", 40)
        ended = viscodex(
            "convert", samples / "login.png", *arguments, "--grammar", tmp_path / "page.gbnf"
        )
        assert ended.status == 0, ended.err
        assert ended.out == "<!DOCTYPE html>\n<body><p>Sign in</p>\n"

    def test_the_best_of_several_answers(self, samples: Path, scripted: dict[str, Path]) -> None:
        arguments = ("convert", samples / "login.png", "--to", "html", "--json", "--best-of", 6)
        ended = viscodex(*arguments, "--model", scripted["varied"])
        assert ended.status == 0, ended.err
        answer = json.loads(ended.out)
        tried = answer["tried"]
        assert 2 <= len(tried) <= 6
        assert [one["chosen"] for one in tried].count(True) == 1
        chosen = next(one for one in tried if one["chosen"])
        assert chosen["problem"] is None
        likest = max(one["similarity"] or 0 for one in tried)
        assert chosen["similarity"] >= likest - 0.005
        assert answer["similarity"]["total"] == chosen["similarity"]

    def test_a_picture_beyond_reach_is_converted_in_parts_too(
        self, tmp_path: Path, scripted: dict[str, Path]
    ) -> None:
        picture = Image.new("RGB", (500, 900), "white")  # the model sees 224 x 224 pixels
        for top in (20, 320, 620):
            picture.paste((0, 60, 160), (20, top, 480, top + 200))
        picture.save(tmp_path / "large.png")
        arguments = ("convert", tmp_path / "large.png", "--to", "html", "--json")
        arguments += ("--model", scripted["page"])
        answer = json.loads(viscodex(*arguments).out)
        assert len(answer["tried"]) == 2
        never = json.loads(viscodex(*arguments, "--split", "never").out)
        assert never["tried"] == []

    def test_a_chart_that_fails_is_tried_again(
        self, samples: Path, scripted: dict[str, Path]
    ) -> None:
        arguments = ("convert", samples / "chart.png", "--to", "matplotlib", "--max-tokens", 1)
        arguments += ("--json", "--model", scripted["chart"])
        for options, tries in ((("--repair", 0), 0), ((), 2), (("--repair", 2), 3)):
            ended = viscodex(*arguments, *options)
            assert ended.status == 0, ended.err
            answer = json.loads(ended.out)
            assert len(answer["tried"]) == tries
            assert all(one["problem"] for one in answer["tried"])
            assert answer["code"] == CHART[0]

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

    def test_where_they_differ(self, samples: Path, tmp_path: Path) -> None:
        out = tmp_path / "difference.png"
        ended = viscodex("compare", samples / "login.png", samples / "pricing.png", "--out", out)
        assert ended.status == 0, ended.err
        assert len(Image.open(out).convert("RGB").getcolors(1 << 20)) > 100

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

    def test_devices_forget_what_failed(self) -> None:
        memory = Memory()
        memory.keep(Record("key", "model", failed=("GPU0",)))
        ended = viscodex("devices", "--forget")
        assert ended.status == 0
        assert "forgot 1 " in ended.err
        assert not memory.path.exists()

    def test_doctor_looks_at_every_part(self) -> None:
        ended = viscodex("doctor", "--json")
        findings = {finding["name"]: finding for finding in json.loads(ended.out)}
        for name in ("engine", "devices", "text reader", "html preview", "chart preview"):
            assert findings[name]["ok"], findings[name]
        abi = abi_version()
        assert findings["isolation"]["ok"] or not abi
        assert f"Landlock (ABI {abi})" in findings["isolation"]["detail"] or not abi
        needed = [finding["ok"] for finding in findings.values() if finding["needed"]]
        assert ended.status == (0 if all(needed) else 1)

    def test_doctor_tells_where_charts_cannot_be_shut_in(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from app import doctor
        from engine.render import python

        monkeypatch.setattr(python, "wall_name", lambda: "none")
        with pytest.raises(RuntimeError, match=r"not drawn here: no wall; .*reading other files"):
            doctor._isolation()
        assert "draws a chart" in doctor._plot()

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

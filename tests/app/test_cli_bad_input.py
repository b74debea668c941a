"""Bad input to `viscodex`: one clear line, the right exit status, nothing half-written."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tests.app.command import assert_one_line, build_scripted, viscodex
from tests.engine.scripted_model import write_vision


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_scripted(tmp_path_factory.mktemp("models"))


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


@pytest.mark.parametrize(
    ("content", "word"),
    [(None, "does not exist"), ("page ::= [a]", "rule named root"), ('root ::= "a', "parse")],
)
def test_grammars(
    content: str | None, word: str, samples: Path, tmp_path: Path, scripted: dict[str, Path]
) -> None:
    grammar = tmp_path / "page.gbnf"
    if content is not None:
        grammar.write_text(content)
    arguments = ("--model", scripted["page"], "--grammar", grammar, "--out", tmp_path / "x.html")
    assert_one_line(viscodex("convert", samples / "login.png", *arguments), 2, word)
    assert not (tmp_path / "x.html").exists()

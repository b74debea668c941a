"""What all tests share. Environment first: Qt reads it when it is imported."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# What engines remember of one test is nothing to the next, nor to the user.
os.environ["VISCODEX_CACHE"] = tempfile.mkdtemp(prefix="viscodex-test-cache-")
if hasattr(os, "geteuid") and os.geteuid() == 0:
    # Chromium refuses its own sandbox to root; only tests and data building run as root.
    os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")
    os.environ.setdefault("VISCODEX_RENDER_NO_SANDBOX", "1")

from engine.render.html import HtmlRenderer

ROOT = Path(__file__).resolve().parents[1]
pytest_plugins = ["tests.crashes"]


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of sample pictures (and `sources/`, the code they were drawn from)."""
    return ROOT / "assets" / "samples"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Measuring data that is not part of the project; the test is skipped without it."""
    folder = os.environ.get("VISCODEX_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("VISCODEX_DATA names no folder")
    return Path(folder)


@pytest.fixture(scope="session")
def renderer() -> Iterator[HtmlRenderer]:
    """One warm HTML renderer for the whole run."""
    with HtmlRenderer() as html_renderer:
        yield html_renderer


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder (F32 GGUF pair and card) with random weights; its checkpoint stands beside
    it as `checkpoint`. Only to be read."""
    from tests.fixtures.tiny_model import build_tiny_gguf

    return build_tiny_gguf(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_model_dir: Path) -> Path:
    """The checkpoint behind `tiny_model_dir`. Only to be read."""
    return tiny_model_dir.parent / "checkpoint"

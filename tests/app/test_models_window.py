"""The model manager against a real hub on this machine, real files and a real chat server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QPushButton

from app.jobs import JobState
from app.store.settings import RemoteServer
from app.survey import Offer, Survey
from app.views.main_window import MainWindow
from app.views.model_card import ModelCard
from app.views.models_window import ModelsWindow
from app.views.windows import Windows
from engine.models.store import BUNDLED, ModelFiles
from tests.app.looks import clipped, lengthen, nameless
from tests.app.scripted import ScriptedClient
from tests.app.windows import Make, request
from tests.engine.scripted_model import build, chain
from tests.fixtures.fake_hub import FakeHub, Fault

NAME = "qwen3-vl-2b"
MODEL = "Qwen3VL-2B-Instruct-Q4_K_M.gguf"
MMPROJ = "mmproj-Qwen3VL-2B-Instruct-Q8_0.gguf"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    return build(tmp_path_factory.mktemp("tiny"), chain("<p>", "<|im_end|>"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("VISCODEX_MODELS", str(folder))
    return folder


@pytest.fixture
def hub(tiny: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub({MODEL: tiny.model.read_bytes(), MMPROJ: tiny.mmproj.read_bytes()}) as hub:
        hub.repo = "Qwen/Qwen3-VL-2B-Instruct-GGUF"
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub
    assert hub.trouble == []


@pytest.fixture
def main(make_window: Make, home: Path) -> MainWindow:
    return make_window(ScriptedClient, request)


@pytest.fixture
def windows(main: MainWindow) -> Windows:
    return Windows(main)


@pytest.fixture
def manager(windows: Windows, qtbot: Any) -> ModelsWindow:
    windows.main.actions_by_name["models"].trigger()
    window = windows.window("models")
    assert isinstance(window, ModelsWindow)
    qtbot.waitUntil(lambda: len(window.cards) >= 8, timeout=60_000)
    return window


def status(manager: ModelsWindow, kind: str, name: str) -> str:
    card = manager.cards.get((kind, name))
    return "" if card is None else card.status.text()


def press(manager: ModelsWindow, kind: str, name: str, key: str) -> None:
    manager.cards[kind, name].buttons[key].click()


def chips(card: ModelCard) -> list[str]:
    return [chip.text() for chip in card._chips]


class TestWhatIsShown:
    def test_bundled_first_and_the_catalogue_in_words_and_numbers(
        self, manager: ModelsWindow
    ) -> None:
        keys = list(manager.cards)
        assert keys[0] == ("here", BUNDLED)
        assert chips(manager.cards["here", BUNDLED]) == ["In use", "Bundled"]
        assert set(manager.cards["here", BUNDLED].buttons) == {"verify"}
        facts = manager.cards["here", BUNDLED]._lines.text()
        assert "MB" in facts and "Apache-2.0" in facts and "context" in facts and "HTML" in facts
        text = status(manager, "offer", NAME)
        assert "GiB free" in text and ("Fits" in text or "Too large" in text)
        licence = manager.cards["offer", "qwen2.5-vl-3b"]._lines.text()
        assert "no commercial use" in licence
        assert "main memory free" in manager.machine.text()

    def test_names_texts_and_order(self, manager: ModelsWindow, qtbot: Any) -> None:
        manager._open_form("")
        assert nameless(manager) == []
        manager.activateWindow()
        qtbot.waitUntil(manager.isActiveWindow)
        manager.add_file.setFocus()
        seen = []
        for _ in range(30):
            focus = QApplication.focusWidget()
            assert focus is not None
            seen.append(focus)
            qtbot.keyClick(focus, Qt.Key.Key_Tab)
        places = [
            one.mapTo(manager.page.inside, QPoint(0, 0)).y()
            for one in seen[: seen.index(manager.form.leave) + 1]
            if manager.page.inside.isAncestorOf(one)
        ]
        # Buttons of one row may stand a little higher or lower.
        assert all(below >= above - 45 for above, below in pairwise(places)), places

    @pytest.mark.parametrize("size", [(760, 640), (440, 420)])
    def test_long_words_fit(self, manager: ModelsWindow, size: tuple[int, int]) -> None:
        manager._open_form("")
        manager.resize(*size)
        lengthen(manager.page)
        assert clipped(manager.page) == []

    def test_esc_closes_the_form_and_then_the_window(
        self, manager: ModelsWindow, qtbot: Any
    ) -> None:
        manager.add_server.click()
        assert manager.form.isVisible()
        qtbot.keyClick(manager.form.name, Qt.Key.Key_Escape)
        assert not manager.form.isVisible() and manager.isVisible()
        qtbot.keyClick(manager, Qt.Key.Key_Escape)
        assert not manager.isVisible()


class TestDownload:
    def test_it_comes_is_used_and_removed(
        self, manager: ModelsWindow, main: MainWindow, hub: FakeHub, home: Path, qtbot: Any
    ) -> None:
        press(manager, "offer", NAME, "pull")
        qtbot.waitUntil(lambda: ("here", NAME) in manager.cards, timeout=60_000)
        assert ("offer", NAME) not in manager.cards
        press(manager, "here", NAME, "use")
        assert main.settings.model == NAME
        assert chips(manager.cards["here", NAME]) == ["In use"]
        assert chips(manager.cards["here", BUNDLED]) == ["Bundled"]
        press(manager, "here", NAME, "remove")
        assert "Remove" in status(manager, "here", NAME)
        press(manager, "here", NAME, "remove_no")
        assert (home / NAME).is_dir()
        press(manager, "here", NAME, "remove")
        press(manager, "here", NAME, "remove_yes")
        qtbot.waitUntil(lambda: ("offer", NAME) in manager.cards, timeout=60_000)
        assert main.settings.model == "", "the bundled one converts again"
        assert not (home / NAME).exists()

    def test_pause_close_reopen_resume(
        self, manager: ModelsWindow, windows: Windows, hub: FakeHub, qtbot: Any
    ) -> None:
        hub.faults = [Fault(), Fault(slow=0.05)]
        press(manager, "offer", NAME, "pull")
        qtbot.waitUntil(lambda: "/s" in status(manager, "offer", NAME), timeout=60_000)
        text = status(manager, "offer", NAME)
        assert text.startswith("Downloading · ") and " of " in text and "%" in text
        assert 0 < manager.cards["offer", NAME].progress.value() < 1000
        press(manager, "offer", NAME, "pause")
        assert status(manager, "offer", NAME).startswith("Paused")
        assert set(manager.cards["offer", NAME].buttons) == {"resume", "cancel"}
        manager.close()
        windows.main.actions_by_name["models"].trigger()
        assert windows.window("models") is manager and manager.isVisible()
        assert status(manager, "offer", NAME).startswith("Paused")
        job = manager.shelf.jobs.of(NAME)
        assert job is not None and job.state is JobState.PAUSED
        before = len(hub.gets)
        press(manager, "offer", NAME, "resume")
        qtbot.waitUntil(lambda: ("here", NAME) in manager.cards, timeout=60_000)
        assert "range" in hub.gets[before].headers

    def test_the_main_window_tells_of_it_too(
        self, manager: ModelsWindow, windows: Windows, hub: FakeHub, home: Path, qtbot: Any
    ) -> None:
        strip = windows.downloads
        assert strip.isHidden()
        hub.faults = [Fault(), Fault(slow=0.05), Fault(slow=0.05)]
        press(manager, "offer", NAME, "pull")
        manager.close()
        qtbot.waitUntil(lambda: "/s" in strip.status._whole, timeout=60_000)
        assert strip.isVisible()
        words = strip.status._whole
        assert words.startswith("Downloading · ") and " of " in words and " left" in words
        assert 0 < strip.progress.value() < 1000
        assert nameless(strip) == []
        assert not strip.buttons["resume"].isVisible()
        strip.buttons["pause"].click()
        assert strip.status._whole.startswith("Paused")
        assert not strip.buttons["pause"].isVisible()
        strip.buttons["resume"].click()
        assert strip.buttons["pause"].isVisible()
        strip.buttons["cancel"].click()
        qtbot.waitUntil(strip.isHidden, timeout=30_000)
        assert (home / ".incoming" / NAME).exists()  # what has arrived is kept

    def test_cancel_go_on_discard(
        self, manager: ModelsWindow, hub: FakeHub, home: Path, qtbot: Any
    ) -> None:
        hub.faults = [Fault(), Fault(slow=0.05), Fault(slow=0.05)]
        press(manager, "offer", NAME, "pull")
        qtbot.waitUntil(lambda: "/s" in status(manager, "offer", NAME), timeout=60_000)
        press(manager, "offer", NAME, "cancel")
        card = manager.cards["offer", NAME]
        qtbot.waitUntil(lambda: "are here" in card.status.text(), timeout=30_000)
        assert list(card.buttons) == ["pull", "discard"]
        assert card.buttons["pull"].text() == "Go on"
        before = len(hub.gets)
        press(manager, "offer", NAME, "pull")
        qtbot.waitUntil(lambda: len(hub.gets) > before, timeout=30_000)
        assert int(hub.gets[-1].headers["range"].removeprefix("bytes=").rstrip("-")) > 0
        qtbot.waitUntil(lambda: "cancel" in card.buttons)
        press(manager, "offer", NAME, "cancel")
        qtbot.waitUntil(lambda: "discard" in card.buttons, timeout=30_000)
        press(manager, "offer", NAME, "discard")
        qtbot.waitUntil(lambda: list(card.buttons) == ["pull"], timeout=30_000)
        assert not (home / ".incoming" / NAME).exists()

    def test_a_failure_has_advice_and_another_try(
        self, manager: ModelsWindow, hub: FakeHub, qtbot: Any
    ) -> None:
        hub.hub_faults = [Fault(status=404)]
        press(manager, "offer", NAME, "pull")
        card = manager.cards["offer", NAME]
        qtbot.waitUntil(lambda: "404" in card.status.text(), timeout=30_000)
        assert card.status.property("tone") == "bad"
        assert card.buttons["pull"].text() == "Try again"
        hub.faults = [Fault(), Fault(content=b"x" * len(hub.files[MODEL]))]
        card.buttons["pull"].click()
        qtbot.waitUntil(lambda: "not what was published" in card.status.text(), timeout=60_000)
        card.buttons["pull"].click()
        qtbot.waitUntil(lambda: ("here", NAME) in manager.cards, timeout=60_000)

    def test_quitting_asks_nothing_and_leaves_a_part(
        self, manager: ModelsWindow, windows: Windows, hub: FakeHub, home: Path, qtbot: Any
    ) -> None:
        hub.faults = [Fault(), Fault(slow=0.05)]
        press(manager, "offer", NAME, "pull")
        qtbot.waitUntil(lambda: "/s" in status(manager, "offer", NAME), timeout=60_000)
        job = manager.shelf.jobs.of(NAME)
        windows.main.quit()
        assert not windows.main.isVisible() and not manager.isVisible()
        assert job is not None
        qtbot.waitUntil(lambda: job.over, timeout=10_000)
        part = home / ".incoming" / NAME / (MODEL + ".part")
        assert 0 < part.stat().st_size < len(hub.files[MODEL])

    def test_what_arrives_unseen_is_told_in_the_window(
        self, manager: ModelsWindow, main: MainWindow, hub: FakeHub, qtbot: Any
    ) -> None:
        manager.close()
        manager.shelf.pull(NAME, "Qwen3-VL 2B")
        qtbot.waitUntil(main.banner.isVisible, timeout=60_000)
        assert main.banner.title == "Qwen3-VL 2B is here"
        use = next(b for b in main.banner.findChildren(QPushButton) if b.text() == "Use it")
        use.click()
        assert main.settings.model == NAME


class TestOwnFiles:
    def test_a_dropped_pair_is_added_verified_and_found_broken(
        self, manager: ModelsWindow, tiny: ModelFiles, home: Path, tmp_path: Path, qtbot: Any
    ) -> None:
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(p)) for p in (tiny.mmproj, tiny.model)])
        event = QDropEvent(
            QPoint(5, 5),
            Qt.DropAction.CopyAction,
            mime,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        manager.dropEvent(event)
        name = tiny.model.stem
        qtbot.waitUntil(lambda: ("here", name) in manager.cards, timeout=60_000)
        press(manager, "here", name, "verify")
        qtbot.waitUntil(lambda: "whole" in status(manager, "here", name), timeout=60_000)
        file = next(p for p in (home / name).glob("*.gguf") if "mmproj" not in p.name)
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.unlink()  # it may be a link to the original
        file.write_bytes(data)
        press(manager, "here", name, "verify")
        qtbot.waitUntil(lambda: "sum" in status(manager, "here", name), timeout=60_000)

    def test_a_model_alone_waits_for_its_vision_file(
        self, manager: ModelsWindow, tiny: ModelFiles, tmp_path: Path, qtbot: Any
    ) -> None:
        alone = tmp_path / "alone" / "My model (1).gguf"
        alone.parent.mkdir()
        shutil.copy(tiny.model, alone)
        manager.shelf.add([alone])
        qtbot.waitUntil(manager.banner.isVisible)
        assert "vision file" in manager.banner.title
        manager.shelf.add([tiny.mmproj])
        qtbot.waitUntil(lambda: ("here", "My-model-1") in manager.cards, timeout=60_000)
        assert not manager.banner.isVisible()

    def test_what_is_no_model_is_told(
        self, manager: ModelsWindow, tiny: ModelFiles, tmp_path: Path, qtbot: Any
    ) -> None:
        manager.shelf.add([tiny.mmproj])
        assert manager.banner.isVisible() and "not one model" in manager.banner.text
        manager.banner.dismiss()
        assert not manager.banner.isVisible()
        bad = tmp_path / "bad.gguf"
        bad.write_bytes(b"GGUF, but no more than that")
        manager.shelf.add([bad, tiny.mmproj])
        qtbot.waitUntil(lambda: ("job", "bad") in manager.cards, timeout=30_000)
        qtbot.waitUntil(lambda: "dismiss" in manager.cards["job", "bad"].buttons, timeout=30_000)
        assert status(manager, "job", "bad")
        press(manager, "job", "bad", "dismiss")
        assert ("job", "bad") not in manager.cards


def test_a_model_that_is_gone_is_still_shown_as_in_use(
    manager: ModelsWindow, main: MainWindow
) -> None:
    main.keep(model="/somewhere/else.gguf")
    assert chips(manager.cards["job", "/somewhere/else.gguf"]) == ["In use"]
    press(manager, "here", BUNDLED, "use")
    assert main.settings.model == ""


def test_servers_are_used_and_forgotten(manager: ModelsWindow, main: MainWindow) -> None:
    main.keep(servers=(RemoteServer("Lab", "http://10.1.1.1:80"), RemoteServer("B", "https://b.x")))
    assert "unencrypted" in status(manager, "server", "Lab")
    press(manager, "server", "B", "use")
    assert main.settings.remote == RemoteServer("B", "https://b.x")
    assert chips(manager.cards["here", BUNDLED]) == ["Bundled"]
    press(manager, "server", "B", "remove")
    press(manager, "server", "B", "remove_yes")
    assert main.settings.servers == (RemoteServer("Lab", "http://10.1.1.1:80"),)
    assert main.settings.remote is None and main.settings.server == ""


def offer(name: str, tone: str, size: int, free: bool = True, fits: bool = True) -> Offer:
    return Offer(name, name, "", "", size, 0, free, fits, tone, "", "")


def test_what_is_recommended() -> None:
    offers = (
        offer("a", "warn", 3), offer("b", "warn", 1, free=False), offer("c", "good", 5),
        offer("d", "good", 9), offer("e", "bad", 50, fits=False), offer("f", "warn", 2),
    )  # fmt: skip
    names = [one.name for one in Survey((), offers, "").recommended(5)]
    assert names == ["d", "c", "f", "a", "b"]

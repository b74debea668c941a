"""The preview taken out: as a picture on the clipboard or on disk, and into a browser."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shiboken6
from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QColor, QDesktopServices, QGuiApplication, QImage
from PySide6.QtWebEngineCore import QWebEnginePage, QWebEngineProfile
from PySide6.QtWidgets import QApplication

from app.actions import make_actions
from app.preview.chart import default_runner
from app.preview.standalone import standalone
from app.session import Picture
from app.theme import Theme
from app.views.dress import Dresser
from app.views.preview_output import Drawable
from app.views.preview_pane import PreviewPane
from tests.app.test_preview import HOSTILE, Listener

PAGE = "<style>body{background:#f00}@media (prefers-color-scheme: dark){body{background:#00f}}"


@pytest.fixture
def pane(qapp: QApplication, theme: Theme, qtbot: Any) -> Iterator[PreviewPane]:
    actions = make_actions(theme)
    actions["scripts"].setChecked(True)
    made = PreviewPane(actions, Dresser(theme), default_runner, False)
    made.show()
    made.set_source(Picture(b"", 320, 200, "x"))
    yield made
    made.shut()
    made.close()
    made.deleteLater()


def test_nothing_can_be_taken_out_before_the_code_is_whole(pane: PreviewPane) -> None:
    names = ("copy_drawn", "save_drawn", "open_browser")
    pane.show_code(PAGE, "html", False)
    assert not any(pane.actions_by_name[name].isEnabled() for name in names)
    pane.show_code(PAGE, "html", True)
    assert all(pane.actions_by_name[name].isEnabled() for name in names)
    pane.show_code("import matplotlib", "matplotlib", True)
    assert not pane.actions_by_name["open_browser"].isEnabled()


def test_copy_has_the_width_and_colours_on_screen(pane: PreviewPane, qtbot: Any) -> None:
    pane.show_code(PAGE, "html", True)
    pane.actions_by_name["page_dark"].trigger()
    pane.actions_by_name["width_390"].trigger()
    with qtbot.waitSignal(pane.more.output.told, timeout=60_000):
        pane.actions_by_name["copy_drawn"].trigger()
    image = QGuiApplication.clipboard().image()
    assert image.width() == 390
    assert image.pixelColor(5, 5) == QColor("#0000ff")
    assert pane.note.text() == "Picture copied"


def test_save_writes_whole_or_tells(pane: PreviewPane, qtbot: Any, tmp_path: Path) -> None:
    what = Drawable(PAGE, "html", 320)
    with qtbot.waitSignal(pane.more.output.told, timeout=60_000):
        pane.more.output.save(what, tmp_path / "a.png")
    assert QImage(str(tmp_path / "a.png")).width() == 320
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    with qtbot.waitSignal(pane.failed, timeout=60_000) as told:
        pane.more.output.save(what, tmp_path / "missing" / "a.png")
    assert "No such file" in told.args[0]
    with qtbot.waitSignal(pane.failed, timeout=60_000) as told:
        pane.more.output.save(Drawable("nonsense(", "matplotlib", 0), tmp_path / "b.png")
    assert "SyntaxError" in told.args[0]
    assert not (tmp_path / "b.png").exists()


class Opener(QObject):
    """Takes the place of the browser: the desktop hands it what should be opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[QUrl] = []

    @Slot(QUrl)
    def take(self, url: QUrl) -> None:
        self.opened.append(url)


def test_browser_gets_a_private_file_that_goes_away(pane: PreviewPane, qtbot: Any) -> None:
    opener = Opener()
    QDesktopServices.setUrlHandler("file", opener, "take")
    try:
        pane.show_code(PAGE, "html", True)
        with qtbot.waitSignal(pane.more.output.told, timeout=20_000):
            pane.actions_by_name["open_browser"].trigger()
    finally:
        QDesktopServices.unsetUrlHandler("file")
    path = Path(opener.opened[0].toLocalFile())
    assert "Content-Security-Policy" in path.read_text()
    if os.name == "posix":
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    pane.more.output.close()
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False])
def test_page_for_the_browser_is_shut_in_there(
    qapp: QApplication, qtbot: Any, tmp_path: Path, scripts: bool
) -> None:
    """In a plain page of WebEngine without any of our walls; flags for STUN and preconnect, which
    no document can forbid, are those of the whole test process."""
    listener = Listener()
    escape = '"></iframe><img src="http://{a}/escaped">'
    html = (HOSTILE + escape).format(a=f"127.0.0.1:{listener.port}")
    path = tmp_path / "page.html"
    path.write_text(standalone(html, scripts), encoding="utf-8")
    profile = QWebEngineProfile()
    page = QWebEnginePage(profile)
    with qtbot.waitSignal(page.loadFinished, timeout=20_000):
        page.setUrl(QUrl.fromLocalFile(str(path)))
    qtbot.wait(2500)
    assert page.url().toLocalFile() == str(path)
    assert page.title() == "VisCodex preview"
    assert listener.hits == []
    listener.close()
    # The same way in for a page that stays where it is.
    path.write_text(standalone("<script>document.title = 'ran'</script>", scripts))
    with qtbot.waitSignal(page.loadFinished, timeout=20_000):
        page.setUrl(QUrl.fromLocalFile(str(path)))
    titles: list[Any] = []
    for frame in page.mainFrame().children():
        frame.runJavaScript("document.title", 1, titles.append)
    qtbot.waitUntil(lambda: bool(titles))
    assert titles == ["ran" if scripts else ""]
    shiboken6.delete(page)  # before its profile

"""The few dialogs: choosing files, the list of shortcuts."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFrame,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.actions import ACTIONS, OVERLAY_KEYS, PICTURE_KEYS
from app.controller import failure_of
from app.export.names import suggested_name
from app.files import write_whole
from app.intake import FILE_FILTER
from app.preview_actions import COMPARE_ACTIONS, PREVIEW_ACTIONS
from app.session import Failure

if TYPE_CHECKING:
    from app.views.main_window import MainWindow

SUFFIXES = {"html": ".html", "matplotlib": ".py"}
_CODE_FILTERS = {"html": "HTML page (*.html)", "matplotlib": "Python script (*.py)"}
_PICTURE_FILTER = "Drawn picture (*.png)"


def open_picture(parent: QWidget) -> Path | None:
    """Ask for a picture file."""
    name, _ = QFileDialog.getOpenFileName(parent, "Open a picture", "", FILE_FILTER)
    return Path(name) if name else None


def save_result(window: MainWindow) -> None:
    """Ask for a place and save the code there, or the drawn picture for a name in .png."""
    target = window.controller.session.result.target or "html"
    suggestion = suggested_name(window.code.edit.code, target)
    name, chosen = QFileDialog.getSaveFileName(
        window, "Save", suggestion, f"{_CODE_FILTERS[target]};;{_PICTURE_FILTER}"
    )
    if not name:
        return
    path = Path(name)
    if not path.suffix:
        path = path.with_suffix(".png" if chosen == _PICTURE_FILTER else SUFFIXES[target])
    save_to(window, path)


def save_to(window: MainWindow, path: Path) -> None:
    """Save to `path` in the background; errors appear in the banner."""
    session = window.controller.session
    code, target = window.code.edit.code, session.result.target or "html"
    width = session.picture.width if session.picture is not None else 0
    picture = path.suffix.lower() == ".png"

    def work() -> None:
        data = _draw(code, target, width) if picture else f"{code.rstrip()}\n".encode()
        write_whole(path, data)

    def saved(_: object) -> None:
        if picture:
            window.code.tell(f"Saved {path.name}")
        else:
            window.code_actions.was_saved(path)

    def failed(error: Exception) -> None:
        failure = failure_of(error)
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            failure = Failure("save_failed", f"{path.name}: {reason}.", "Choose another folder.")
        window.show_failure(failure)

    window.controller.tasks.run(work, saved, failed)


def _draw(code: str, target: str, width: int) -> bytes:
    """The drawn result as PNG, by the engine's own renderers."""
    if target == "html":
        from engine.render.html import HtmlRenderer

        with HtmlRenderer() as renderer:
            return renderer.render(code, width or 1024).png
    from engine.errors import ErrorCode, VisCodexError
    from engine.render.python import PlotRunner

    with PlotRunner() as runner:
        result = runner.run(code)
    if result.png is None:
        raise VisCodexError(ErrorCode.render_failed, result.error or "No picture was drawn.", "")
    return result.png


def show_shortcuts(parent: QWidget) -> None:
    """List all shortcuts, from the same table that makes them."""
    dialog = shortcuts_dialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


def shortcuts_dialog(parent: QWidget) -> QDialog:
    """The dialog with the list of shortcuts."""
    dialog = QDialog(parent)
    dialog.setWindowTitle("Keyboard shortcuts")
    rows = []
    for title, table in (
        ("In the window", ACTIONS),
        ("In the preview", PREVIEW_ACTIONS),
        ("In the comparison", COMPARE_ACTIONS),
    ):
        rows.append((title, ""))
        for spec in table:
            if spec.keys:
                keys = QKeySequence(spec.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)
                rows.append((keys, spec.text.rstrip("…")))
        if table is ACTIONS:
            rows.append(("F10", "Menu"))
    rows.append(("In the picture", ""))
    rows.extend(PICTURE_KEYS)
    rows.append(("While snipping", ""))
    rows.extend(OVERLAY_KEYS)
    cells = "".join(
        f"<tr><td style='padding:4px 28px 4px 0'>{escape(keys)}</td><td style='padding:4px 0'>"
        f"{escape(text)}</td></tr>"
        if text
        else f"<tr><td colspan=2 style='padding:12px 0 4px 0'><b>{escape(keys)}</b></td></tr>"
        for keys, text in rows
    )
    label = QLabel(f"<table>{cells}</table>")
    label.setAccessibleName("Keyboard shortcuts")
    label.setMargin(8)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse
        | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    area = QScrollArea()
    area.setObjectName("shortcuts")
    area.setAccessibleName("Keyboard shortcuts")
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setWidget(label)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    for button in buttons.buttons():
        button.setAccessibleName(button.text().replace("&", ""))
    layout = QVBoxLayout(dialog)
    layout.addWidget(area)
    layout.addWidget(buttons)
    dialog.resize(label.sizeHint().width() + 60, 600)
    return dialog

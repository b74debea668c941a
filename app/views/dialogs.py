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
from app.i18n import N_, _
from app.intake import file_filter
from app.preview_actions import COMPARE_ACTIONS, PREVIEW_ACTIONS
from app.session import Failure

if TYPE_CHECKING:
    from app.views.main_window import MainWindow

SUFFIXES = {"html": ".html", "matplotlib": ".py"}
_CODE_FILTERS = {"html": N_("HTML page (*.html)"), "matplotlib": N_("Python script (*.py)")}
_PICTURE_FILTER = N_("Drawn picture (*.png)")


def open_picture(parent: QWidget) -> Path | None:
    """Ask for a picture file."""
    name = QFileDialog.getOpenFileName(parent, _("Open a picture"), "", file_filter())[0]
    return Path(name) if name else None


def save_result(window: MainWindow) -> None:
    """Ask for a place and save the code there, or the drawn picture for a name in .png."""
    target = window.controller.session.result.target or "html"
    suggestion = suggested_name(window.code.edit.code, target)
    picture = _(_PICTURE_FILTER)
    name, chosen = QFileDialog.getSaveFileName(
        window, _("Save"), suggestion, f"{_(_CODE_FILTERS[target])};;{picture}"
    )
    if not name:
        return
    path = Path(name)
    if not path.suffix:
        path = path.with_suffix(".png" if chosen == picture else SUFFIXES[target])
    save_to(window, path)


def save_to(window: MainWindow, path: Path) -> None:
    """Save to `path` in the background; errors appear in the banner."""
    session = window.controller.session
    code, target = window.code.edit.code, session.result.target or "html"
    size = (session.picture.width, None) if session.picture is not None else None
    unwalled = window.settings.unwalled
    picture = path.suffix.lower() == ".png"

    def work() -> None:
        if picture:
            from app.rendering import draw  # heavy, and not needed for the first paint

            write_whole(path, draw(code, target, size, unwalled=unwalled))
        else:
            write_whole(path, f"{code.rstrip()}\n".encode())

    def saved(done: object) -> None:
        if picture:
            window.code.tell(_("Saved {name}").format(name=path.name))
        else:
            window.code_actions.was_saved(path)

    def failed(error: Exception) -> None:
        failure = failure_of(error)
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            failure = Failure("save_failed", f"{path.name}: {reason}.", _("Choose another folder."))
        window.show_failure(failure)

    window.controller.tasks.run(work, saved, failed)


def show_shortcuts(parent: QWidget) -> None:
    """List all shortcuts, from the same table that makes them."""
    dialog = shortcuts_dialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


def shortcuts_dialog(parent: QWidget) -> QDialog:
    """The dialog with the list of shortcuts."""
    dialog = QDialog(parent)
    dialog.setWindowTitle(_("Keyboard shortcuts"))
    rows = []
    for title, table in (
        (_("In the window"), ACTIONS),
        (_("In the preview"), PREVIEW_ACTIONS),
        (_("In the comparison"), COMPARE_ACTIONS),
    ):
        rows.append((title, ""))
        for spec in table:
            if spec.keys:
                keys = QKeySequence(spec.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)
                rows.append((keys, _(spec.text).rstrip("…")))
        if table is ACTIONS:
            rows.append(("F10", _("Menu")))
    rows.append((_("In the picture"), ""))
    rows.extend((_(keys), _(text)) for keys, text in PICTURE_KEYS)
    rows.append((_("While snipping"), ""))
    rows.extend((_(keys), _(text)) for keys, text in OVERLAY_KEYS)
    cells = "".join(
        f"<tr><td style='padding:4px 28px 4px 0'>{escape(keys)}</td><td style='padding:4px 0'>"
        f"{escape(text)}</td></tr>"
        if text
        else f"<tr><td colspan=2 style='padding:12px 0 4px 0'><b>{escape(keys)}</b></td></tr>"
        for keys, text in rows
    )
    label = QLabel(f"<table>{cells}</table>")
    label.setAccessibleName(_("Keyboard shortcuts"))
    label.setMargin(8)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse
        | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    area = QScrollArea()
    area.setObjectName("shortcuts")
    area.setAccessibleName(_("Keyboard shortcuts"))
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

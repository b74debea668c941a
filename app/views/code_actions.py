"""What the actions around the code do: copy, save, export, open in an editor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from app.actions import ACTIONS
from app.controller import failure_of
from app.export.names import suggested_name, suggested_stem
from app.export.page import single_page
from app.export.project import project_files, write_project
from app.files import write_whole
from app.i18n import _
from app.outside import OutsideEditor
from app.session import Failure
from app.views import dialogs

if TYPE_CHECKING:
    from app.views.main_window import MainWindow

NEED_CODE = (
    "copy", "save", "refresh", "find", "replace", "changes", "open_editor", "export_folder",
)  # fmt: skip
"""Actions that are enabled while there is code."""


class CodeActions(QObject):
    """Connects the pane of the code with the window around it."""

    def __init__(self, window: MainWindow, outside: OutsideEditor | None = None) -> None:
        super().__init__(window)
        self._window, self._pane = window, window.code
        self._actions = window.actions_by_name
        self._saved_at: Path | None = None
        self._shared = ""  # what stood here when the other editor had the same
        self.outside = outside or OutsideEditor(parent=self)
        self._connect()
        self._restore()

    def _connect(self) -> None:
        pane, edit = self._pane, self._pane.edit
        slots: dict[str, Callable[[], object]] = {
            "copy": self.copy,
            "copy_selection": self.copy_selection,
            "save": self.save,
            "open_editor": self.open_editor,
            "export_folder": self.export_folder,
            "export_page": self.export_page,
            "find": lambda: pane.open_find(False),
            "replace": lambda: pane.open_find(True),
            "find_next": pane.finder.go_on,
            "find_previous": pane.finder.go_back,
            "zoom_in": lambda: edit.zoom(1),
            "zoom_out": lambda: edit.zoom(-1),
            "zoom_reset": lambda: edit.zoom(0),
        }
        for name, slot in slots.items():
            self._actions[name].triggered.connect(lambda *_, call=slot: call())
        self._actions["wrap"].toggled.connect(self._wrap)
        pane.addActions([self._actions[spec.name] for spec in ACTIONS if spec.scope == "code"])
        pane.edited.connect(self._edited)
        pane.settled.connect(self._draw)
        self._window.preview.line_chosen.connect(pane.show_line)
        edit.zoomed.connect(lambda: self._keep("code/size", edit.font().pointSizeF()))
        self.outside.saved.connect(self._saved_outside)

    def _restore(self) -> None:
        state = self._window.parts.state
        self._actions["wrap"].setChecked(state.value("code/wrap", False, bool) is True)
        size = state.value("code/size", 0.0, float)
        if isinstance(size, float) and size > 0:
            self._pane.edit.set_font_size(size)

    def _keep(self, key: str, value: object) -> None:
        self._window.parts.state.setValue(key, value)

    def refresh(self) -> None:
        """Enable what can be done now."""
        has_code = bool(self._pane.edit.code.strip())
        for name in NEED_CODE:
            self._actions[name].setEnabled(has_code)
        self._actions["export_page"].setEnabled(has_code and self._target == "html")

    def forget(self) -> None:
        """Another picture: files of the last one are no longer followed."""
        self.outside.leave()
        self._saved_at = None

    def close(self) -> None:
        self.outside.close()
        self._pane.shut()

    @property
    def _target(self) -> str:
        return self._window.controller.session.result.target or "html"

    # Editing ----------------------------------------------------------------

    def _edited(self) -> None:
        # The session has every key at once, so that what is begun next begins with it.
        self._window.controller.edit_code(self._pane.edit.code)
        self.refresh()

    def _draw(self) -> None:
        code = self._pane.edit.code
        if code.strip():
            self._window.preview.show_code(code, self._target, final=True)
        else:
            self._window.preview.clear()

    def _wrap(self, on: bool) -> None:
        self._pane.edit.set_wrapped(on)
        self._keep("code/wrap", on)

    # Copy, save, export -----------------------------------------------------

    def copy(self) -> None:
        """Copy the whole code."""
        QGuiApplication.clipboard().setText(self._pane.edit.code)
        self._pane.tell(_("Copied"), _("Code copied"))

    def copy_selection(self) -> None:
        """Copy what is selected."""
        self._pane.edit.copy()
        self._pane.tell(_("Copied"), _("Selection copied"))

    def save(self) -> None:
        """Ask for a place and save there."""
        dialogs.save_result(self._window)

    def was_saved(self, path: Path) -> None:
        """The code is now in the file `path`."""
        self._saved_at = path
        self._pane.tell(_("Saved {name}").format(name=path.name))

    def export_folder(self) -> None:
        """Ask for the name of a folder and make a project there."""
        name = QFileDialog.getSaveFileName(
            self._window,
            _("Export as a project folder"),
            suggested_stem(self._pane.edit.code, self._target),
            options=QFileDialog.Option.DontConfirmOverwrite,
        )[0]
        if name:
            self.export_folder_to(Path(name))

    def export_folder_to(self, folder: Path) -> None:
        """Make a project folder in the background; errors appear in the banner."""
        code, target = self._pane.edit.code, self._target
        self._write(lambda: write_project(project_files(code, target), folder), folder)

    def export_page(self) -> None:
        """Ask for a file and write the page into it, its style inside."""
        name = QFileDialog.getSaveFileName(
            self._window,
            _("Export as a single page"),
            suggested_name(self._pane.edit.code, "html"),
            _("HTML page (*.html)"),
        )[0]
        if name:
            path = Path(name)
            self.export_page_to(path if path.suffix else path.with_suffix(".html"))

    def export_page_to(self, path: Path) -> None:
        """Write the page as one file in the background; errors appear in the banner."""
        code = self._pane.edit.code
        self._write(lambda: write_whole(path, single_page(code).encode()), path)

    def _write(self, work: Callable[[], None], path: Path) -> None:
        self._window.controller.tasks.run(
            work,
            lambda done: self._pane.tell(_("Exported {name}").format(name=path.name)),
            lambda error: self._failed(error, path),
        )

    def _failed(self, error: Exception, path: Path) -> None:
        failure = failure_of(error)
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            advice = _("Choose another name or folder.")
            failure = Failure("save_failed", f"{path.name}: {reason}.", advice)
        self._window.show_failure(failure)

    # Another editor ---------------------------------------------------------

    def open_editor(self) -> None:
        """Open the code in another editor and follow what is saved there."""
        code = self._pane.edit.code
        name = suggested_name(code, self._target)
        try:
            started = self.outside.open(code, name, self._saved_at)
        except OSError as error:
            self._failed(error, Path(name))
            return
        if started:
            self._pane.tell(
                _("Opened"), _("Opened {name}; what you save there comes back").format(name=name)
            )
        else:
            advice = _("Save the code and open the file yourself.")
            self._window.show_failure(Failure("no_editor", "", advice))
        self._shared = code.rstrip()

    def _saved_outside(self, text: str) -> None:
        """Take what was saved outside; ask first where it would cost what was typed here."""
        pane = self._pane
        if not pane.busy and pane.edit.code.rstrip() == self._shared:
            self._take(text)
            return
        self._window.banner.present(
            "info",
            _("The code was also changed in the other editor"),
            _("Taking it replaces what is here; undo brings that back."),
            [(_("Take it"), lambda: self._take(text))],
        )

    def _take(self, text: str) -> None:
        if not self._pane.busy:
            self._shared = text
            self._pane.take(text)
            self._pane.tell(_("Updated"), _("Code updated from the other editor"))

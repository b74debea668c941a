"""What can be done with what the preview shows: copy or save it as a picture, open it elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QMenu, QToolButton, QWidget

from app.i18n import _
from app.views.dress import ICON, Dresser
from app.views.preview_output import Drawable, PreviewOutput


class PreviewMenu(QToolButton):
    """A button with a menu. `what` gives what is shown at the moment, `scripts` whether it may run
    its scripts; `scripts_action` stands in the menu too."""

    def __init__(
        self,
        actions: Mapping[str, QAction],
        scripts_action: QAction,
        dresser: Dresser,
        what: Callable[[], Drawable],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._actions = actions
        self._scripts = scripts_action
        self._what = what
        self.output = PreviewOutput(self)
        self.setObjectName("flat")
        self.setAccessibleName(_("More for the preview"))
        self.setToolTip(_("Copy, save, open in the browser"))
        self.setIconSize(ICON)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        dresser.icon(self, "more")
        menu = QMenu(self)
        menu.addActions([actions[name] for name in ("copy_drawn", "save_drawn", "open_browser")])
        menu.addSeparator()
        menu.addAction(scripts_action)
        self.setMenu(menu)
        actions["copy_drawn"].triggered.connect(lambda: self.output.copy(self._what()))
        actions["save_drawn"].triggered.connect(self._save)
        actions["open_browser"].triggered.connect(
            lambda: self.output.browse(self._what().code, self._scripts.isChecked())
        )

    def allow(self, there: bool, page: bool) -> None:
        """Whether there is anything complete to take out, and whether that is a page."""
        self._actions["copy_drawn"].setEnabled(there)
        self._actions["save_drawn"].setEnabled(there)
        self._actions["open_browser"].setEnabled(there and page)

    def _save(self) -> None:
        name = QFileDialog.getSaveFileName(
            self.window(), _("Save as a picture"), "preview.png", _("Picture (*.png)")
        )[0]
        if name:
            path = Path(name)
            self.output.save(self._what(), path if path.suffix else path.with_suffix(".png"))

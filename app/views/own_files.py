"""Model files of the user's own: the dialogs that ask for them, and what stood in the way."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from app.i18n import N_, _
from app.messages import told
from app.shelf import Shelf
from app.views.banner import Banner
from app.views.dress import Dresser

GGUF = N_("GGUF models (*.gguf);;All files (*)")


class OwnFiles(Banner):
    """Tells what a model lacks that is to be added, or why that did not work; else hidden.

    What was taken over is a job of the shelf; whoever shows this shows that too.
    """

    def __init__(self, shelf: Shelf, dresser: Dresser) -> None:
        super().__init__(dresser)
        self._shelf = shelf
        self.dismissed.connect(shelf.dismiss)

    def choose(self) -> None:
        """Ask for a model file, with its vision file or without."""
        names = QFileDialog.getOpenFileNames(
            self.window(), _("Add a model: its file, and its vision file (mmproj)"), "", _(GGUF)
        )[0]
        if names:
            self._shelf.add([Path(name) for name in names])

    def refresh(self) -> None:
        """Show the shelf as it is now."""
        waiting, failure = self._shelf.waiting, self._shelf.failure
        if waiting is not None:
            name = waiting.name
            if self.isHidden() or name not in self.text:
                self.present(
                    "info",
                    _("A vision file is needed as well"),
                    _("{name} sees pictures with the help of a second file, named mmproj.").format(
                        name=name
                    ),
                    [(_("Choose it…"), partial(self._choose_vision, waiting))],
                )
        elif failure is not None:
            text = told(failure)
            if self.isHidden() or self.text != text:
                self.present("bad", _("That did not work"), text)
        else:
            self.dismiss()

    def _choose_vision(self, model: Path) -> None:
        name = QFileDialog.getOpenFileName(
            self.window(), _("Choose the vision file (mmproj)"), "", _(GGUF)
        )[0]
        if name:
            self._shelf.add_pair(model, Path(name))

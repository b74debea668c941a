"""The tools of the source picture: marking, cropping, the text read from it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from app.controller import failure_of
from app.i18n import _
from app.incoming import Region
from app.views.source_pane import decode

if TYPE_CHECKING:
    from app.views.main_window import MainWindow

WHOLE = 100_000
"""No side of a picture is longer: decode it as it is."""


class SourceTools(QObject):
    """Joins the source pane and its actions to the controller."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.controller = window.controller
        self.pane = window.source
        self.view = window.source.view
        actions = window.actions_by_name
        self._actions = {
            name: actions[name]
            for name in ("mark_part", "crop", "convert_part", "undo_crop", "text_boxes",
                         "copy_text")
        }  # fmt: skip
        self._actions["text_boxes"].setChecked(True)
        for name, slot in (
            ("mark_part", self._mark),
            ("crop", self._crop),
            ("convert_part", self._convert_part),
            ("undo_crop", self.controller.undo_crop),
            ("copy_text", self._copy_text),
        ):
            actions[name].triggered.connect(lambda *_, call=slot: call())
        actions["text_boxes"].toggled.connect(self.view.show_boxes)
        self.view.line_clicked.connect(self._copy_line)
        self.view.region_changed.connect(lambda region: self._refresh())
        self.view.full_wanted.connect(self._decode_whole)
        self.controller.text_read.connect(self.view.set_lines)
        window.preview.lines_wanted.connect(self.view.mark_missing)
        self.controller.picture_changed.connect(self._refresh)
        self.controller.versions_changed.connect(self._show_lines)
        self.controller.changed.connect(self._refresh)
        self._refresh()

    @property
    def region(self) -> Region | None:
        return self.view.region

    def _refresh(self) -> None:
        session = self.controller.session
        there = session.picture is not None
        free = there and not session.busy
        marked = free and self.view.region is not None
        for name, enabled in (
            ("mark_part", there),
            ("crop", marked),
            ("convert_part", marked),
            ("undo_crop", self.controller.cropped),
            ("copy_text", there and (free or bool(session.words))),
            ("text_boxes", there),
        ):
            self._actions[name].setEnabled(enabled)

    def _show_lines(self) -> None:
        """A picture that comes back has its lines already."""
        lines = self.controller.session.lines
        if tuple(lines) != tuple(self.view.lines):
            self.view.set_lines(lines)
            self._window.preview.compare.set_lines(list(lines))

    def _mark(self) -> None:
        self.view.setFocus()
        self.view.start_marking(not self.view.marking)

    def _crop(self) -> None:
        if self.view.region is not None:
            self.controller.crop(self.view.region)

    def _convert_part(self) -> None:
        if self.view.region is not None:
            self.controller.convert_part(self.view.region)

    def _copy_line(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.pane.tell(_("Copied"))

    def _copy_text(self) -> None:
        picture = self.controller.session.picture

        def copy() -> None:
            session = self.controller.session
            if session.picture is not picture:
                return
            if session.words:
                QGuiApplication.clipboard().setText(session.words)
            self.pane.tell(_("Text copied") if session.words else _("No text was found"))

        if not self.controller.session.words:
            self.pane.tell(_("Reading the text…"))
        self.controller.read_text(copy)

    def _decode_whole(self) -> None:
        picture = self.controller.session.picture
        if picture is None:
            return

        def show(image: Any) -> None:
            if self.controller.session.picture is picture:
                self.view.set_full(image)

        self.controller.tasks.run(
            partial(decode, picture.png, WHOLE),
            show,
            lambda error: self._window.show_failure(failure_of(error)),
        )

"""The versions of the picture on the desk: typed, walked, chosen, drawn. Without widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.asides import Asides
from app.i18n import _
from app.incoming import PictureDesk
from app.versions import Drawn, Version


class VersionDesk(PictureDesk):
    """A desk whose picture has code in versions.

    `code_changed(code, final)` while and after code arrives, `text_read(lines)` with what was read
    in the picture, `answers_changed()` while several answers are written or compared,
    `compared(number, total)` when one of several answers has been drawn,
    `versions_changed()`, `complete(tree, versions)` with versions that will not
    change any more, `chosen(tree, version)` when the user put one on top, and `told(text)` for what
    is worth a word.
    """

    code_changed = Signal(str, bool)
    text_read = Signal(list)
    answers_changed = Signal()
    compared = Signal(int, int)
    versions_changed = Signal()
    complete = Signal(object, list)
    chosen = Signal(object, object)
    told = Signal(str)

    def __init__(self, asides: Asides, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asides = asides
        self._drawn: list[Any] = []  # the candidates of the conversion that runs
        self._tries = 0

    def edit_code(self, code: str) -> None:
        """The user typed into the code."""
        session = self.session
        if session.busy or code == session.result.code:
            return
        session.edit(code)
        begun = session.versions.open_edit
        edit = session.versions.edit(code, session.result.target or "html")
        if edit.id != begun:  # not again for every key
            self.versions_changed.emit()

    def seal(self) -> None:
        """What was typed is complete."""
        edit = self.session.versions.seal()
        if edit is not None:
            self.complete.emit(self.session.versions, [edit])
            self.versions_changed.emit()

    def leave_picture(self) -> None:
        self.seal()
        self._tries = 0

    def choose_version(self, number: int) -> None:
        """Put a version on top; not during a conversion."""
        tree = self.session.versions
        if self.session.busy or (tree.current is not None and tree.current.id == number):
            return
        self.seal()
        version = tree.choose(number)
        self.show_top()
        self.chosen.emit(tree, version)

    def step_version(self, forward: bool) -> None:
        """Walk one version back or forward."""
        if self.session.busy:
            return
        self.seal()
        tree = self.session.versions
        version = tree.forward() if forward else tree.back()
        if version is not None:
            self.choose_version(version.id)

    def show_top(self) -> None:
        version = self.session.versions.current
        if version is not None:
            self.session.show_version(version)
        self.versions_changed.emit()
        if version is not None:
            self.code_changed.emit(version.code, True)

    def _record(self, answers: Sequence[Drawn]) -> None:
        """Make versions of what this conversion brought."""
        result, tree = self.session.result, self.session.versions
        if not result.code.strip():
            return
        had_some = tree.current is not None
        reasons = {one.code: one.reason for one in result.answers.by_number.values()}
        made = tree.add_run(
            result.kind,
            result.instruction,
            result.target or "html",
            result.code,
            answers,
            {**reasons, result.code: result.reason},
        )
        if made:
            self.complete.emit(tree, made)
        elif had_some:
            self.told.emit(_("No change"))
        self.versions_changed.emit()

    def _keep_choice(self) -> None:
        """The answer that was picked while all were compared comes on top."""
        choice = self.session.result.answers.choice
        if choice is None:
            return
        for version in self.session.versions.candidates():
            if version.code == choice.code:
                self.choose_version(version.id)
                return

    def _put_back(self) -> None:
        """A conversion that ended without an answer leaves the version that was there."""
        version = self.session.versions.current
        if version is not None:
            self.session.result.code = version.code
            self.session.result.target = version.target

    # Beside the conversions -------------------------------------------------

    def read_text(self, then: Callable[[], None]) -> None:
        """Have the text of the picture read where it is not known yet, then call `then`."""
        picture = self.session.picture
        if picture is None or self.session.words:
            then()
            return

        def took(lines: list[Any]) -> None:
            if self.session.picture is picture:
                self._take_lines(lines)
                then()

        self._asides.read_text(picture, took, self.trouble.emit)

    def _take_lines(self, lines: list[Any]) -> None:
        self.session.text_read(lines)
        self.text_read.emit(lines)

    def appraise(self, version: Version) -> None:
        """Have a version drawn and compared that was not yet; tells `versions_changed`."""
        picture, tree = self.session.picture, self.session.versions
        if picture is None or version.asked or version.id == tree.open_edit:
            return
        version.asked = True

        def took(event: Any) -> None:
            version.png, version.problem = event.png, event.problem
            version.likeness = event.likeness
            version.similarity = (event.likeness or {}).get("total", version.similarity)
            self.versions_changed.emit()

        self._asides.appraise(picture, version.code, version.target, self.session.lines, took)

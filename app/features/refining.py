"""Instruction, candidates and versions around the panes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.i18n import _
from app.refining import QUICK_ACTIONS
from app.versions import REFINE, Version, VersionTree
from app.views.candidate_strip import CandidateStrip
from app.views.dress import announce
from app.views.refine_bar import RefineBar
from app.views.versions_list import VersionsList

if TYPE_CHECKING:
    from app.features.source import SourceTools
    from app.views.main_window import MainWindow


class Refining(QObject):
    """Joins the instruction, the candidates and the versions to the controller."""

    def __init__(self, window: MainWindow, source: SourceTools) -> None:
        super().__init__(window)
        self._window = window
        self._source = source
        self.controller = controller = window.controller
        actions, dresser = window.actions_by_name, window.dresser
        self.versions = VersionsList(dresser, controller.tasks.run)
        self.strip = CandidateStrip(dresser, self.versions.model)
        self.bar = RefineBar(actions, dresser)
        window.desk.put_below(self.strip)
        window.desk.put_below(self.bar)
        for name, slot in (
            ("refine_box", self._focus),
            ("again", controller.again),
            ("version_back", lambda: controller.step_version(forward=False)),
            ("version_forward", lambda: controller.step_version(forward=True)),
            ("candidate_before", lambda: self.strip.step(-1)),
            ("candidate_after", lambda: self.strip.step(1)),
        ):
            actions[name].triggered.connect(lambda *_, call=slot: call())
        self.versions.model.undrawn.connect(controller.appraise)
        self.bar.wanted.connect(self._refine)
        self.bar.measured.connect(self._match)
        self.bar.unmarked.connect(lambda: source.view.set_region(None))
        self.strip.chosen.connect(controller.choose_version)
        self.strip.watched.connect(controller.watch)
        controller.answers_changed.connect(self._show_answers)
        self.versions.chosen.connect(controller.choose_version)
        source.view.region_changed.connect(self.bar.show_region)
        controller.changed.connect(self._refresh)
        controller.versions_changed.connect(self._show_versions)
        controller.picture_changed.connect(self._show_versions)
        controller.told.connect(self._tell)
        controller.compared.connect(self._say_compared)
        controller.complete.connect(self._completed)
        controller.chosen.connect(self._chosen)
        self._changes_wanted = self._changes_opened = False
        self._show_versions()

    def set_size(self, low: bool, small: bool) -> None:
        """Less of everything in a small window."""
        self.strip.set_compact(low)
        self.bar.set_compact(small)

    def _refresh(self) -> None:
        session = self.controller.session
        self.bar.show_session(session)
        self.bar.setVisible(session.picture is not None)
        self._show_answers()
        self.versions.list.setEnabled(not session.busy)
        if self._changes_opened and session.busy:
            self._close_changes()

    def _show_versions(self) -> None:
        tree = self.controller.session.versions
        self.versions.show_tree(tree)
        # What is being typed is compared with the code as it came, and that needs no telling.
        typing = tree.current is not None and tree.current.id == tree.open_edit
        before = None if typing else tree.back()
        self._window.code.set_previous(None if before is None else before.code)
        if self._changes_wanted:
            self._changes_wanted, self._changes_opened = False, True
            self._window.code.show_changes(True)
        elif self._changes_opened and tree.current is None:
            self._close_changes()
        self._refresh()

    def _show_answers(self) -> None:
        """The answers at work where there are several, else those of the version on top."""
        session = self.controller.session
        if session.busy and len(session.result.answers) > 1:
            self.strip.show_answers(session)
            self.strip.setEnabled(session.can_watch)
        else:
            tree = session.versions
            self.strip.show_candidates(tree.candidates(), tree.current)
            self.strip.setEnabled(not session.busy)

    def _completed(self, tree: VersionTree, versions: list[Version]) -> None:
        """After an instruction people want to see what it has changed."""
        self._changes_wanted = versions[0].kind == REFINE and versions[0] is tree.current

    def _chosen(self, _: VersionTree, version: Version) -> None:
        if self._changes_opened and version.kind != REFINE:
            self._close_changes()

    def _close_changes(self) -> None:
        """What was opened here gives way to code that arrives, or to another picture."""
        self._changes_opened = False
        self._window.code.show_changes(False)

    def _refine(self, instruction: str) -> None:
        self.controller.refine(instruction, self._source.region)

    def _match(self, key: str) -> None:
        """A quick action that needs no model."""
        instruction = next(one.instruction for one in QUICK_ACTIONS if one.key == key)
        self.controller.read_text(lambda: self.controller.match(key, instruction))

    def _focus(self) -> None:
        if self.bar.edit.isEnabled():
            self.bar.edit.setFocus()
            self.bar.edit.selectAll()
        else:
            self.bar.quick.setFocus()

    def _say_compared(self, number: int, total: int) -> None:
        words = _("Candidate {number} of {total} done")
        announce(self.strip, words.format(number=number, total=total))

    def _tell(self, text: str) -> None:
        self._window.code.tell(text)

"""The models as windows show them: what is here, what could be had, what is in use, what goes on.

No widgets. Everything that takes time runs elsewhere: `changed()` tells when there is news.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from app.controller import failure_of
from app.i18n import _
from app.jobs import Job, Jobs, JobState, watched
from app.messages import WindowError
from app.session import Failure
from app.store.settings import RemoteServer, Settings
from app.survey import Installed, Survey, survey
from app.tasks import TaskRunner
from engine.errors import ErrorCode, VisCodexError
from engine.models.control import Control
from engine.models.progress import Listener


class Owner(Protocol):
    """Whoever holds the settings: the main window."""

    settings: Settings

    @property
    def kept(self) -> Any: ...

    def keep(self, **changes: Any) -> None: ...


class Shelf(QObject):
    """`changed()` after anything, `arrived(Job)` when a download or a copy has become a model,
    `server_changed()` where a key or an address in use is another one now."""

    changed = Signal()
    arrived = Signal(object)
    failed = Signal(object)
    server_changed = Signal()

    def __init__(self, owner: Owner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._owner = owner
        self.jobs = Jobs(self)
        self.tasks = TaskRunner(self)
        self.survey: Survey | None = None
        self.failure: Failure | None = None  # of the survey as a whole
        self.failures: dict[str, Failure] = {}  # by name of the model
        self.waiting: Path | None = None  # a file to be added, for want of its vision file
        self._looking = False
        self._again = False
        self.jobs.changed.connect(lambda job: self.changed.emit())
        self.jobs.ended.connect(self._ended)
        owner.kept.connect(lambda settings: self.changed.emit())

    @property
    def settings(self) -> Settings:
        return self._owner.settings

    def uses(self, one: Installed) -> bool:
        """Whether this model converts."""
        if self.settings.remote is not None:
            return False
        return self.settings.model == one.name or (one.bundled and not self.settings.model)

    @property
    def elsewhere(self) -> str:
        """A model in use that is none of those that were found: a file or folder, or one that is
        gone; else ""."""
        known = self.survey is None or any(map(self.uses, self.survey.installed))
        return "" if known or self.settings.remote is not None else self.settings.model

    def close(self) -> None:
        self.jobs.close()
        self.tasks.close()

    # Models ---------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look again; a call while it looks makes it look once more after that."""
        if self._looking:
            self._again = True
            return
        self._looking = True
        self.tasks.run(survey, self._surveyed, self._not_surveyed)

    def use(self, name: str) -> None:
        """Convert with this model from now on; "" is the bundled one."""
        self._owner.keep(model=name, server="")

    def pull(self, name: str, title: str) -> None:
        """Download, or go on with a download."""
        self.failures.pop(name, None)
        self.jobs.start(name, "pull", title, partial(_pull, name))

    def verify(self, name: str, folder: Path) -> None:
        self.failures.pop(name, None)
        self.jobs.start(name, "verify", name, partial(_verify, folder))

    def remove(self, name: str) -> None:
        """Remove a model and what has arrived of it; where it was in use, the bundled one is."""
        if self.settings.model == name:
            self._owner.keep(model="")
        self.jobs.forget(name)
        self._run(name, partial(_remove, name))

    def add(self, paths: Sequence[Path]) -> None:
        """Take over files of the user's own: a model, with its vision file or without.

        A model alone whose vision file does not lie beside it is `waiting` for one.
        """
        vision = [path for path in paths if "mmproj" in path.name.lower()]
        models = [path for path in paths if path not in vision]
        if self.waiting is not None and not models and vision:
            models = [self.waiting]
        self.waiting = None
        if len(models) != 1 or len(vision) > 1:
            self._add_failed(
                WindowError(
                    ErrorCode.bad_input,
                    _("That is not one model."),
                    _("Give one model file (.gguf), with its vision file (mmproj) or before it."),
                )
            )
            return
        self.failure = None
        self.tasks.run(
            partial(_with_vision, models[0], vision[0] if vision else None),
            self._paired,
            self._add_failed,
        )

    def add_pair(self, model: Path, vision: Path) -> None:
        """Take over these two, however they are named."""
        self.waiting = self.failure = None
        taken = {one.name for one in self.survey.installed} if self.survey is not None else set()
        name = name_for(model.stem, taken)
        self.jobs.start(name, "add", name, partial(_add, model, vision, name))

    def dismiss(self) -> None:
        """Forget a file that waits, and what went wrong; people have seen it."""
        self.waiting = self.failure = None
        self.changed.emit()

    # Servers --------------------------------------------------------------------------------------

    def use_server(self, name: str) -> None:
        self._owner.keep(server=name)

    def save_server(self, server: RemoteServer, old: str = "") -> None:
        """Keep a server in the place of the one named `old`, or as a new one.

        Raises VisCodexError(bad_input) where another one has its name.
        """
        others = [one for one in self.settings.servers if one.name != old]
        if any(one.name == server.name for one in others):
            raise WindowError(
                ErrorCode.bad_input,
                _("There is a server '{name}' already.").format(name=server.name),
                _("Give it another name."),
            )
        changes: dict[str, Any] = {"servers": (*others, server)}
        if old and self.settings.server == old:
            changes["server"] = server.name
        self._owner.keep(**changes)

    def remove_server(self, name: str) -> None:
        """Forget a server, and its key unless another one has the same address."""
        gone = [one for one in self.settings.servers if one.name == name]
        left = tuple(one for one in self.settings.servers if one.name != name)
        server = "" if self.settings.server == name else self.settings.server
        self._owner.keep(servers=left, server=server)
        for one in gone:
            if all(other.url != one.url for other in left):
                self._run(name, partial(_forget_key, one.url), look=False)

    # ----------------------------------------------------------------------------------------------

    def _run(self, name: str, work: Callable[[], Any], look: bool = True) -> None:
        def failed(error: Exception) -> None:
            self.failures[name] = failure_of(error)
            self.changed.emit()

        self.failures.pop(name, None)
        self.tasks.run(work, lambda _: self.refresh() if look else None, failed)

    def _surveyed(self, found: Survey) -> None:
        self.survey, self.failure = found, None
        self._looked()

    def _not_surveyed(self, error: Exception) -> None:
        self.failure = failure_of(error)
        self._looked()

    def _looked(self) -> None:
        self._looking = False
        self.changed.emit()
        if self._again:
            self._again = False
            self.refresh()

    def _paired(self, pair: tuple[Path, Path | None]) -> None:
        model, vision = pair
        if vision is not None:
            self.add_pair(model, vision)
            return
        self.waiting = model
        self.changed.emit()

    def _add_failed(self, error: Exception) -> None:
        self.failure = failure_of(error)
        self.changed.emit()

    def _ended(self, job: Job) -> None:
        if job.kind != "verify" and job.state is JobState.DONE:
            self.jobs.forget(job.name)
            self.arrived.emit(job)
        elif job.kind == "pull" and job.state is JobState.FAILED:
            self.failed.emit(job)
        self.refresh()


def name_for(stem: str, taken: set[str]) -> str:
    """A name that can be a folder's, made from that of a file, and is not taken."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip(".-_")[:56] or "model"
    number, name = 2, plain
    while name in taken:
        name, number = f"{plain}-{number}", number + 1
    return name


def failure_on(job: Job | None, kept: Failure | None) -> Failure | None:
    """What to show on a model: the failure of its last job, else one that was kept."""
    if job is not None and job.state is JobState.FAILED:
        return job.failure
    return kept


# Work, on threads of its own ----------------------------------------------------------------------


def _pull(name: str, control: Control, report: Listener) -> Any:
    from engine.models.catalogue import find_entry
    from engine.models.pull import pull

    return pull(find_entry(name), control=control, report=report)


def _verify(folder: Path, control: Control, report: Listener) -> None:
    from engine.models.store import find_model, verify

    for path, problem in verify(find_model(folder), watched(control, report)):
        if problem is not None:
            raise WindowError(
                ErrorCode.model_broken,
                f"{path.name}: {problem}",
                _("Remove the model and get it again."),
            )


def _add(model: Path, vision: Path, name: str, control: Control, report: Listener) -> Any:
    from engine.models.install import add_local

    return add_local(model, vision, name, watched(control, report))


def _with_vision(model: Path, vision: Path | None) -> tuple[Path, Path | None]:
    """The pair; without a vision file where none or several lie beside the model."""
    from engine.models.store import beside

    if vision is not None:
        return model, vision
    if not model.is_file():
        raise WindowError(
            ErrorCode.model_missing,
            _("There is no file '{model}'.").format(model=model),
            _("Choose another one."),
        )
    try:
        return model, beside(model)
    except VisCodexError:
        return model, None


def _remove(name: str) -> None:
    from engine.models.install import remove

    remove(name)


def _forget_key(url: str) -> None:
    from engine.remote.keys import forget_key

    forget_key(url)

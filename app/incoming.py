"""The picture side of the application: offers, the queue, crops. Without widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from PySide6.QtCore import QMimeData, QObject, Signal
from PySide6.QtGui import QImage

from app.intake import Offer, Refused, cut, offers_from_mime
from app.messages import WindowError
from app.picture_queue import PictureQueue
from app.session import EngineState, Failure, Picture, Session, State
from app.tasks import TaskRunner
from app.versions import VersionTree
from engine.errors import VisCodexError

Region = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the picture."""


class PictureDesk(QObject):
    """Takes pictures one after the other.

    `picture_changed()` when another one lies on the desk, `queue_changed()` when what waits has
    changed, `trouble(failure)` for errors outside a conversion, and `changed()` after every step.
    """

    changed = Signal()
    picture_changed = Signal()
    queue_changed = Signal()
    trouble = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = Session()
        self.auto_start = True
        self.queue = PictureQueue()
        self.tasks = TaskRunner(self)
        self._reading = False
        self._offers = 0
        self._whole: list[tuple[Picture, VersionTree, Sequence[object]]] = []  # before each crop
        self._then: Callable[[], None] | None = None

    # What the conversion side does ------------------------------------------

    def generate(self) -> None:
        """Start a conversion if the session allows it."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Stop the conversion."""
        raise NotImplementedError

    def leave_picture(self) -> None:
        """Called before another picture comes; what was typed is complete now."""
        raise NotImplementedError

    def show_top(self) -> None:
        """Show the version on top of the session's tree."""
        raise NotImplementedError

    # Ways in ----------------------------------------------------------------

    def offer_mime(self, mime: QMimeData, name: str) -> None:
        """A drop or the clipboard."""
        try:
            self.offer_all(offers_from_mime(mime, name))
        except Refused as refused:
            self.trouble.emit(Failure(refused.code, str(refused), refused.advice))

    def offer_path(self, path: Path) -> None:
        self.offer(Offer(path, path.name))

    def offer_image(self, image: QImage, name: str) -> None:
        self.offer(Offer(image, name))

    def offer(self, offer: Offer) -> None:
        self.offer_all([offer])

    def offer_all(self, offers: Sequence[Offer]) -> None:
        """Take pictures one after the other; those that come during a conversion wait.

        Where conversions do not start by themselves the newest of several single pictures is
        taken and no queue forms.
        """
        several = self.auto_start or len(offers) > 1
        if self.session.busy or (self._reading and several):
            self.queue.add(offers)
            self.queue_changed.emit()
            return
        first, *rest = offers
        self.queue.start()
        self.queue.add(rest)
        self._read(first)

    def next_picture(self) -> None:
        """Go on with the next picture that waits; a conversion that runs is stopped."""
        self.when_free(self._advance)

    def drop_waiting(self, index: int) -> None:
        """Take a picture out of the queue."""
        self.queue.remove(index)
        self.queue_changed.emit()

    def clear_queue(self) -> None:
        self.queue.clear()
        self.queue_changed.emit()

    def when_free(self, work: Callable[[], None]) -> None:
        """Do `work` once no conversion runs; stops the one that does."""
        if self.session.busy:
            self._then = work
            self.cancel()
        else:
            work()

    def _read(self, offer: Offer) -> None:
        """Read the picture in the background; of several only the newest is taken."""
        self._offers += 1
        number = self._offers
        self._reading = True

        def arrived(picture: Picture) -> None:
            if number == self._offers:
                self._reading = False
                self._take_picture(picture)

        def failed(error: Exception) -> None:
            if number == self._offers:
                self._reading = False
                self.queue.note_failure(offer.name)
                self.trouble.emit(failure_of(error))
                self._go_on()

        self.queue_changed.emit()
        self.tasks.run(offer.to_picture, arrived, failed)

    def _take_picture(self, picture: Picture) -> None:
        if self.session.busy:  # somebody started one while this was read
            self.queue.put_first(Offer(picture.png, picture.name))
            self.queue_changed.emit()
            return
        self._whole.clear()
        self._lay(picture)
        if not self.auto_start:
            return
        if self.session.engine is EngineState.MISSING:  # the picture waits for a model
            self.trouble.emit(Failure("model_missing", ""))
        else:
            self.generate()

    def _lay(self, picture: Picture) -> None:
        self.leave_picture()
        self.session.set_picture(picture)
        self.picture_changed.emit()

    def _advance(self) -> None:
        offer = self.queue.take()
        if offer is not None:
            self._read(cast(Offer, offer))

    def _go_on(self) -> None:
        """A conversion is over, or a picture could not be read: what comes next?

        After Cancel nothing: who stops one conversion does not want the next to begin.
        """
        then, self._then = self._then, None
        if then is not None:
            then()
        elif (
            self.auto_start
            and not self._reading
            and self.session.state is not State.CANCELLED
            and self.session.engine is not EngineState.MISSING
            and not self.session.busy
        ):
            self._advance()

    # Cropping ---------------------------------------------------------------

    @property
    def cropped(self) -> bool:
        """Whether there is a whole picture to go back to."""
        return bool(self._whole)

    def crop(self, region: Region) -> None:
        """Convert a part of the picture as a picture of its own; `undo_crop` brings it back."""
        session = self.session
        picture = session.picture
        if picture is None or session.busy:
            return

        def arrived(part: Picture) -> None:
            if session.picture is picture and not session.busy:
                self._whole.append((picture, session.versions, session.lines))
                self._lay(part)
                self.generate()

        self.tasks.run(partial(cut, picture, region), arrived, self._told)

    def undo_crop(self) -> None:
        """Go back to the picture before the last crop, with its versions."""
        if self._whole:
            self.when_free(self._uncrop)

    def _uncrop(self) -> None:
        picture, tree, lines = self._whole.pop()
        self.reopen(picture, tree, lines)

    def reopen(
        self, picture: Picture, tree: VersionTree, lines: Sequence[object] = (), words: str = ""
    ) -> None:
        """Lay a picture down that was here before, with its versions. Not during a conversion."""
        self._lay(picture)
        self.session.versions = tree
        if lines:
            self.session.text_read(lines)  # type: ignore[arg-type]
        self.session.words = self.session.words or words
        self.show_top()

    def forget_crops(self) -> None:
        """Nothing to go back to: another picture was opened."""
        self._whole.clear()

    def _told(self, error: Exception) -> None:
        self.trouble.emit(failure_of(error))


def failure_of(error: Exception) -> Failure:
    """What to show for an exception; the advice of the engine is not for the window."""
    if isinstance(error, VisCodexError):
        advice = error.advice if isinstance(error, WindowError) else ""
        return Failure(error.code.value, error.message, advice)
    return Failure("internal", str(error) or type(error).__name__)

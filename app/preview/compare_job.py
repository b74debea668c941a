"""Draws code at the size of the snip and measures it against the snip, off the GUI thread.

The picture shown is the very one that was measured.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from app.incoming import failure_of
from app.messages import told
from app.preview.latest import Latest
from engine.errors import VisCodexError

if TYPE_CHECKING:
    from PIL import Image

    from engine.compare import Similarity
    from engine.hints import TextLine
    from engine.render.drawing import Drawer

_LOG = logging.getLogger(__name__)

KEPT = 6
"""Comparisons that are kept, so that going back to a version costs nothing."""
HEAT_SIDE = 1600
"""Longest side of the difference picture in pixels; it is for the eye, the figures are not made
from it."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class Wish:
    """What to compare: the snip (PNG and the text read in it) with what code draws."""

    snip: bytes
    lines: tuple[TextLine, ...]
    code: str
    target: str
    unwalled: bool = False

    @property
    def key(self) -> Key:
        parts = (self.snip, self.code.encode("utf-8", "replace"), repr(self.lines).encode())
        return (*(hashlib.sha256(part).hexdigest() for part in parts), self.target)


@dataclass(frozen=True)
class Comparison:
    """The two pictures, where they differ, how alike they are, and what text is missing.

    `problem` says why there is no picture; everything else is empty then.
    """

    key: Key
    snip: QImage
    drawn: QImage
    heat: QImage
    likeness: Similarity | None = None
    missing: tuple[TextLine, ...] = ()
    problem: str = ""


class Comparer(QObject):
    """`compared(Comparison)` arrives on the thread of this object; the newest wish wins."""

    compared = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: OrderedDict[Key, Comparison] = OrderedDict()
        self._drawers: dict[bool, Drawer] = {}
        self._jobs: Latest[Wish] = Latest("compare", self._compare, self._end)
        self.made = 0  # comparisons that had to be worked out

    def compare(self, wish: Wish) -> Comparison | None:
        """The comparison where it is known already; otherwise None, and `compared` tells it."""
        known = self._kept.get(wish.key)
        if known is not None:
            self._kept.move_to_end(wish.key)
            self._jobs.drop()
            return known
        self._jobs.submit(wish)
        return None

    def close(self) -> None:
        """End the thread and its renderers."""
        self._jobs.close()

    def _compare(self, wish: Wish) -> None:
        try:
            done = self._measure(wish)
        except VisCodexError as error:
            problem = told(failure_of(error))
            done = Comparison(wish.key, QImage(), QImage(), QImage(), problem=problem)
        except Exception as error:  # the thread has to outlive every failing comparison
            _LOG.exception("the comparison failed")
            done = Comparison(wish.key, QImage(), QImage(), QImage(), problem=str(error))
        self.made += 1
        if not done.problem:
            self._kept[done.key] = done
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        if not self._jobs.closing:
            self.compared.emit(done)

    def _measure(self, wish: Wish) -> Comparison:
        # Heavy, and not needed for the first paint.
        from PIL import Image

        from app.preview.compare_lines import missing_lines
        from engine.compare import difference, similarity
        from engine.images import load_picture
        from engine.render.drawing import Drawer

        snip = load_picture(wish.snip)
        drawer = self._drawers.get(wish.unwalled)
        if drawer is None:
            drawer = self._drawers[wish.unwalled] = Drawer(allow_unwalled=wish.unwalled)
        drawing = drawer.draw(wish.code, wish.target, snip.size)
        drawn = Image.open(io.BytesIO(drawing.png)).convert("RGB")
        lines = list(wish.lines) or None
        likeness = similarity(snip, drawn, lines, drawing.texts if lines else None)
        missing = tuple(wish.lines[i] for i in missing_lines(wish.lines, drawing.texts))
        heat = difference(*_shrunk(snip, drawn))
        return Comparison(wish.key, _image(snip), _image(drawn), _image(heat), likeness, missing)

    def _end(self) -> None:
        for drawer in self._drawers.values():
            drawer.close()
        self._drawers.clear()


def _shrunk(*pictures: Image.Image) -> list[Image.Image]:
    """The pictures, all made smaller by one factor where the longest side wants it."""
    factor = min(1.0, HEAT_SIDE / max(max(picture.size) for picture in pictures))
    if factor == 1.0:
        return list(pictures)
    return [
        one.resize((max(1, round(one.width * factor)), max(1, round(one.height * factor))))
        for one in pictures
    ]


def _image(picture: Image.Image) -> QImage:
    pixels = picture.convert("RGB")
    made = QImage(
        pixels.tobytes(), pixels.width, pixels.height, 3 * pixels.width, QImage.Format.Format_RGB888
    )
    return made.convertToFormat(QImage.Format.Format_RGB32)  # a copy: the bytes above go away

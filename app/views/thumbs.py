"""Small pictures for lists, made off the GUI thread and kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage

MOST = 400
SIDE = 256


def shrink(png: bytes) -> QImage:
    """A picture of at most SIDE pixels a side; null for what is no picture."""
    image = QImage.fromData(png)
    if image.isNull() or max(image.width(), image.height()) <= SIDE:
        return image
    # Pages may be far longer than wide: what counts is at the top.
    if image.height() > 2 * image.width():
        image = image.copy(0, 0, image.width(), 2 * image.width())
    return image.scaled(
        SIDE,
        SIDE,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )


Fetch = Callable[[Callable[[QImage], None]], None]
"""Gets a picture in the background and gives it to a function on the GUI thread."""


class Thumbs(QObject):
    """`arrived(key)` when a picture that was asked for is there."""

    arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._images: OrderedDict[object, QImage] = OrderedDict()
        self._asked: set[object] = set()

    def get(self, key: object, fetch: Fetch) -> QImage:
        """The picture of `key`; a null image while it is fetched."""
        image = self._images.get(key)
        if image is not None:
            self._images.move_to_end(key)
            return image
        if key not in self._asked:
            self._asked.add(key)
            fetch(partial(self._take, key))
        return QImage()

    def forget(self) -> None:
        """Ask again for those that never came."""
        self._asked.clear()

    def _take(self, key: object, image: QImage) -> None:
        self._asked.discard(key)
        self._images[key] = image
        while len(self._images) > MOST:
            self._images.popitem(last=False)
        self.arrived.emit(key)

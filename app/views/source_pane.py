"""The source picture."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from app.session import Picture
from app.views.dress import Chip, Pane
from app.views.picture_view import PictureView

LARGEST_SHOWN = 2560
"""Longer sides are shrunk for display, so that resizing the window stays quick."""


def decode(png: bytes) -> QImage:
    """The picture for display; run this off the GUI thread, large ones take their time."""
    image = QImage.fromData(png)
    if max(image.width(), image.height()) > LARGEST_SHOWN:
        image = image.scaled(
            LARGEST_SHOWN,
            LARGEST_SHOWN,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
    return image


class SourcePane(Pane):
    """Shows the picture that is being turned into code, with its size."""

    def __init__(self) -> None:
        super().__init__("Picture")
        self.size_chip = Chip("Size of the picture")
        self.view = PictureView("Source picture")
        self.header.addStretch(1)
        self.header.addWidget(self.size_chip)
        self.body.addWidget(self.view)

    def announce_picture(self, picture: Picture) -> None:
        """Name and size of a picture whose pixels are still being decoded."""
        name, width, height = picture.name, picture.width, picture.height
        self.view.set_image(QImage())
        self.view.setAccessibleDescription(f"{name}, {width} by {height} pixels")
        self.view.setToolTip(name)
        self.size_chip.show_text(f"{width} × {height}", f"{name}, size in pixels")

    def show_image(self, image: QImage) -> None:
        """The pixels, from `decode`."""
        self.view.set_image(image)

    def focus_pane(self) -> None:
        self.view.setFocus()

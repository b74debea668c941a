"""The source picture."""

from __future__ import annotations

from PySide6.QtGui import QImage

from app.views.dress import Chip, Pane
from app.views.picture_view import PictureView


class SourcePane(Pane):
    """Shows the picture that is being turned into code, with its size."""

    def __init__(self) -> None:
        super().__init__("Picture")
        self.size_chip = Chip("Size of the picture")
        self.view = PictureView("Source picture")
        self.header.addStretch(1)
        self.header.addWidget(self.size_chip)
        self.body.addWidget(self.view)

    def show_picture(self, image: QImage, name: str) -> None:
        """Show `image`; `name` is for people and screen readers."""
        self.view.set_image(image)
        self.view.setAccessibleDescription(f"{name}, {image.width()} by {image.height()} pixels")
        self.view.setToolTip(name)
        self.size_chip.show_text(f"{image.width()} × {image.height()}", f"{name}, size in pixels")

    def focus_pane(self) -> None:
        self.view.setFocus()

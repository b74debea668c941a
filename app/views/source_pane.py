"""The source picture in its pane: tools above, zoom or the marked part below."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QAction, QImage, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QToolButton, QWidget

from app.i18n import _
from app.incoming import Region
from app.session import Picture
from app.views.dress import (
    ICON,
    ActionButton,
    Chip,
    Dresser,
    Pane,
    ShortLabel,
    YieldingRow,
    announce,
    flat_button,
)
from app.views.source_view import SourceView

LARGEST_SHOWN = 2560
"""Longer sides are shrunk for display, so that resizing the window stays quick."""
NOTE_MS = 1500
LOW = 170
"""Below this height the row with the zoom gives its room to the picture."""


def decode(png: bytes, largest: int = LARGEST_SHOWN) -> QImage:
    """The picture for display; run this off the GUI thread, large ones take their time."""
    image = QImage.fromData(png)
    if max(image.width(), image.height()) > largest:
        image = image.scaled(
            largest,
            largest,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
    return image


class SourcePane(Pane):
    """Shows the picture that is being turned into code, with its size."""

    def __init__(self, actions: Mapping[str, QAction], dresser: Dresser) -> None:
        super().__init__(_("Picture"))
        self.size_chip = Chip(_("Size of the picture"))
        self.view = SourceView(_("Source picture"), dresser.theme)
        self._size = QSize()
        self.header.addWidget(self.size_chip)
        self.header.addStretch(1)
        self.undo = flat_button(actions["undo_crop"])
        actions["undo_crop"].changed.connect(
            lambda: self.undo.setVisible(actions["undo_crop"].isEnabled())
        )
        self.undo.hide()
        self.header.addWidget(self.undo)
        self.body.addWidget(self.view, 1)
        self.note = Chip(_("Note"))
        self._note_timer = QTimer(self)
        self._note_timer.setSingleShot(True)
        self._note_timer.setInterval(NOTE_MS)
        self._note_timer.timeout.connect(lambda: self.note.show_text(""))
        self.foot = QStackedWidget()
        self.foot.setFixedHeight(40)
        self.foot.setMinimumWidth(150)  # less than its rows would like
        self.foot.addWidget(self._zoom_row(actions, dresser))
        self.foot.addWidget(self._part_row(actions, dresser))
        self.body.addWidget(self.foot)
        self.view.zoomed.connect(self._show_zoom)
        self.view.region_changed.connect(self._show_region)

    # What is shown ----------------------------------------------------------

    def announce_picture(self, picture: Picture) -> None:
        """Name and size of a picture whose pixels are still being decoded."""
        name, width, height = picture.name, picture.width, picture.height
        self._size = QSize(width, height)
        self.view.set_image(QImage())
        self.view.set_lines(())
        self.view.start_marking(False)
        self.view.set_region(None)
        self.view.setAccessibleDescription(
            _("{name}, {width} by {height} pixels").format(name=name, width=width, height=height)
        )
        self.view.setToolTip(name)
        tip = _("{name}, size in pixels").format(name=name)
        size = f"{width} × {height}"
        if picture.full is not None:
            across, down = picture.full
            words = _("Made smaller: it had {width} × {height} pixels.")
            smaller = words.format(width=across, height=down)
            tip, size = f"{tip}\n{smaller}", f"{across} × {down} → {size}"
            announce(self, smaller)
        self.size_chip.show_text(size, tip)

    def show_image(self, image: QImage) -> None:
        """The pixels, from `decode`."""
        self.view.set_image(image, self._size)

    def focus_pane(self) -> None:
        self.view.setFocus()

    def tell(self, text: str) -> None:
        """Say something for a moment."""
        self.note.show_text(text)
        self._note_timer.start()
        announce(self, text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_foot()

    def _show_foot(self) -> None:
        self.foot.setVisible(self.height() >= LOW or self.view.region is not None)

    # The row below ----------------------------------------------------------

    def _zoom_row(self, actions: Mapping[str, QAction], dresser: Dresser) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(4)
        self.farther = _tool(_("Zoom out"), _("Zoom out (-)"))
        self.nearer = _tool(_("Zoom in"), _("Zoom in (+)"))
        dresser.icon(self.farther, "farther")
        dresser.icon(self.nearer, "nearer")
        self.farther.clicked.connect(lambda: self.view.zoom_by(-1))
        self.nearer.clicked.connect(lambda: self.view.zoom_by(1))
        self.percent = _tool(_("Zoom"), _("Fit the pane (0), or 100 % (1)"))
        self.percent.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.percent.setMinimumWidth(64)
        self.percent.clicked.connect(self._toggle_zoom)
        layout.addWidget(self.farther)
        layout.addWidget(self.percent)
        layout.addWidget(self.nearer)
        layout.addStretch(1)
        layout.addWidget(self.note)
        for name in ("mark_part", "text_boxes", "copy_text"):
            layout.addWidget(flat_button(actions[name]))
        return row

    def _part_row(self, actions: Mapping[str, QAction], dresser: Dresser) -> QWidget:
        row = YieldingRow()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(12, 4, 8, 4)
        layout.setSpacing(6)
        self.part = ShortLabel()
        self.part.setObjectName("muted")
        self.part.setAccessibleName(_("Marked part"))
        unmark = _tool(_("Mark nothing"), _("Mark nothing (Esc)"))
        dresser.icon(unmark, "close", "muted")
        unmark.clicked.connect(lambda: self.view.set_region(None))
        layout.addWidget(self.part, 1)
        buttons = [ActionButton(actions[name]) for name in ("convert_part", "crop")]
        row.words = [(one, one.text()) for one in buttons]
        for button in reversed(buttons):
            layout.addWidget(button)
        layout.addWidget(unmark)
        return row

    def _toggle_zoom(self) -> None:
        (self.view.zoom_full if self.view.zoom.factor is None else self.view.zoom_fit)()

    def _show_zoom(self, percent: int) -> None:
        fits = self.view.zoom.factor is None
        text = _("Fit") if fits else f"{percent} %"
        self.percent.setText(text)
        self.percent.setAccessibleDescription(f"{percent} %")
        self.percent.setToolTip("100 % (1)" if fits else _("Fit the pane (0)"))

    def _show_region(self, region: Region | None) -> None:
        self.foot.setCurrentIndex(0 if region is None else 1)
        self._show_foot()
        if region is not None:
            x0, y0, x1, y1 = region
            self.part.show_text(f"{x1 - x0} × {y1 - y0}")
            self.part.setToolTip(
                _("From {x0}, {y0} to {x1}, {y1}, in pixels").format(x0=x0, y0=y0, x1=x1, y1=y1)
            )


def _tool(name: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName("flat")
    button.setIconSize(ICON)
    button.setAccessibleName(name)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button

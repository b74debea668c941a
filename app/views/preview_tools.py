"""The row of tools over the preview: width of the page, zoom, light or dark."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from app.i18n import _
from app.preview.colour_scheme import knows_dark
from app.preview_actions import WIDTHS
from app.views.action_segments import ActionSegments
from app.views.dress import flat_button

ROOMIER = 430
ROOMY = 380
NARROWEST = 288
"""Pixels at which everything has room, at which all tools have, and those that are needed."""

ZOOMS = (0.5, 0.67, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)


class PreviewTools(QWidget):
    """`width_picked(key)` and `zoomed(factor)` tell what was chosen; factor 0 means fit."""

    width_picked = Signal(str)
    zoomed = Signal(float)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("paneTools")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.zoom = 0.0
        self._scale = 1.0
        self._actions = actions
        self.widths = ActionSegments(
            _("Width of the page"), {key: actions[f"width_{key}"] for key, *_ in WIDTHS}
        )
        self.widths.chosen.connect(self.width_picked)
        self.read_out = QLabel()
        self.read_out.setObjectName("muted")
        self.read_out.setAccessibleName(_("Size of the page"))
        self.read_out.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.fit = flat_button(actions["zoom_fit"])
        self.fit.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.fit.setMinimumWidth(46)
        self.dark = flat_button(actions["page_dark"])
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 8, 4)
        layout.setSpacing(4)
        layout.addWidget(self.widths)
        layout.addWidget(self.read_out, 1)
        layout.addStretch(0)
        self._steps = [flat_button(actions[name]) for name in ("zoom_out", "zoom_in")]
        layout.addWidget(self._steps[0])
        layout.addWidget(self.fit)
        layout.addWidget(self._steps[1])
        layout.addWidget(self.dark)
        actions["zoom_in"].triggered.connect(lambda: self.step(1))
        actions["zoom_out"].triggered.connect(lambda: self.step(-1))
        actions["zoom_fit"].triggered.connect(lambda: self._set_zoom(0.0))
        self.setMinimumWidth(NARROWEST)
        self._say()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is no room the two steps give way: keys and the wheel do the same."""
        for button in self._steps:
            button.setVisible(self.width() >= ROOMY)
        self.read_out.setVisible(self.width() >= ROOMIER)

    def show_page_tools(self, on: bool) -> None:
        """Widths and colours belong to pages; charts have only zoom."""
        self.widths.setVisible(on)
        self.dark.setVisible(on)
        self.read_out.setText(self.read_out.text() * on)

    def allow_dark(self, html: str) -> None:
        """Dark colours are offered where the page has some of its own; "" is no page."""
        dark = self._actions["page_dark"]
        dark.setEnabled(bool(html) and (dark.isChecked() or knows_dark(html)))
        dark.setToolTip(
            _("Show the page as to somebody who prefers dark colours (Alt+D)")
            if dark.isEnabled() or not html
            else _("This page has no dark colours of its own")
        )

    def show_scale(self, percent: int, width: int) -> None:
        """How large the page is drawn at present."""
        self._scale = percent / 100
        self.read_out.setText(_("{width} px").format(width=width))
        self._say()

    def step(self, direction: int) -> None:
        """One step larger or smaller, from what is seen now."""
        now = self.zoom or self._scale
        steps = [z for z in ZOOMS if (z > now + 0.01 if direction > 0 else z < now - 0.01)]
        if steps:
            self._set_zoom(min(steps) if direction > 0 else max(steps))

    def _set_zoom(self, zoom: float) -> None:
        self.zoom = zoom
        self._say()
        self.zoomed.emit(zoom)

    def _say(self) -> None:
        shown = f"{self.zoom:.0%}" if self.zoom else _("Fit")
        self.fit.setText(shown)
        self.fit.setAccessibleName(_("Zoom: {shown}. Press to fit the pane").format(shown=shown))
        self._actions["zoom_in"].setEnabled((self.zoom or self._scale) < ZOOMS[-1] - 0.01)
        self._actions["zoom_out"].setEnabled((self.zoom or self._scale) > ZOOMS[0] + 0.01)

"""The preview: a live page for HTML, a drawn picture for charts. Follows the stream, throttled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QComboBox, QLabel, QStackedWidget, QVBoxLayout, QWidget

from app.preview.chart import ChartPainter, Drawing, Runner
from app.stream import runnable_prefix
from app.views.dress import Chip, Dresser, Pane, flat_button
from app.views.picture_view import PictureView

if TYPE_CHECKING:
    from app.preview.web import WebPreview

HTML_INTERVAL_MS = 400
CHART_INTERVAL_MS = 1000
WIDTHS = (
    ("source", "Picture width"),
    ("fit", "Fit the pane"),
    ("375", "Phone 375"),
    ("768", "Tablet 768"),
    ("1366", "Desktop 1366"),
)


class PreviewPane(Pane):
    """Shows what the code draws. `failed(message, line)` tells why a finished code did not."""

    failed = Signal(str, int)
    drawn = Signal()
    width_chosen = Signal(str)

    def __init__(
        self,
        actions: Mapping[str, QAction],
        dresser: Dresser,
        make_runner: Callable[[bool], Runner],
        web_allowed: bool,
    ) -> None:
        super().__init__("Preview")
        self._dresser = dresser
        self._web_allowed = web_allowed
        self._target = "html"
        self._code = ""
        self._final = False
        self._shown_prefix = ""
        self._source_width = 0
        self._scripts = True
        self.web: WebPreview | None = None
        self.chart_png: bytes | None = None
        self._painter = ChartPainter(make_runner, self)
        self._painter.drawn.connect(self._chart_drawn)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._draw)
        self.blocked = Chip("Blocked resources")
        self.widths = QComboBox()
        self.widths.setAccessibleName("Width of the page")
        self.widths.setToolTip("Width the page is laid out at")
        for key, text in WIDTHS:
            self.widths.addItem(text, key)
        self.widths.currentIndexChanged.connect(self._width_picked)
        self.header.addWidget(self.blocked)
        self.header.addStretch(1)
        self.header.addWidget(self.widths)
        self.header.addWidget(flat_button(actions["refresh"]))
        self._stack = QStackedWidget()
        self._card = _Card()
        self.chart = PictureView("Preview of the chart")
        self._stack.addWidget(self._card)
        self._stack.addWidget(self.chart)
        self.body.addWidget(self._stack)
        dresser.theme.changed.connect(self._dress)
        self.clear()

    # Set-up -----------------------------------------------------------------

    def create_web(self) -> None:
        """Make the web view; called after the first paint, since it is heavy."""
        if self.web is not None or not self._web_allowed:
            return
        from app.preview.web import WebPreview

        view = WebPreview(self)
        view.shown.connect(self._page_shown)
        view.blocked.connect(self._page_blocked)
        view.broke.connect(self._page_broke)
        view.scripts = self._scripts
        self.web = view
        self._stack.addWidget(view)
        self._dress()
        self._apply_width()
        if self._code and self._target == "html":
            self._draw()

    def shut(self) -> None:
        """Stop everything that runs behind this pane."""
        self._timer.stop()
        self._painter.close()
        if self.web is not None:
            self.web.shut()

    def focus_pane(self) -> None:
        current = self._stack.currentWidget()
        (self.widths if current is None or current is self._card else current).setFocus()

    # What is shown ----------------------------------------------------------

    def clear(self) -> None:
        """Nothing to show."""
        self._timer.stop()
        self._code = self._shown_prefix = ""
        self.chart_png = None
        self.blocked.show_text("")
        self._card.show_text("The preview appears here while the code is written.")
        self._stack.setCurrentWidget(self._card)

    def set_source_width(self, pixels: int) -> None:
        """Width of the source picture, which a page is laid out at by default."""
        self._source_width = pixels
        self._apply_width()

    def set_scripts(self, on: bool) -> None:
        """Whether previewed pages may run their scripts."""
        self._scripts = on
        if self.web is not None:
            self.web.scripts = on

    def set_unwalled(self, on: bool) -> None:
        """Whether charts may run where nothing shuts them in."""
        self._painter.set_unwalled(on)

    def set_width_choice(self, key: str) -> None:
        index = self.widths.findData(key)
        if index >= 0:
            self.widths.setCurrentIndex(index)

    def show_code(self, code: str, target: str, final: bool) -> None:
        """Show what `code` draws; `final` means at once, with errors told."""
        self._code, self._target, self._final = code, target or "html", final
        self.widths.setVisible(self._target == "html")
        if final:
            self._timer.stop()
            self._draw()
        elif not self._timer.isActive():
            html = self._target == "html"
            self._timer.start(HTML_INTERVAL_MS if html else CHART_INTERVAL_MS)

    def redraw(self) -> None:
        """Draw the present code again, also after a page had been given up."""
        if not self._code:
            return
        self._shown_prefix = ""
        if self._target == "html" and self.web is not None:
            self.web.reload()
        self._draw()

    def _draw(self) -> None:
        if self._target == "html":
            self._draw_page()
        else:
            code = self._code if self._final else runnable_prefix(self._code)
            if code.strip() and (self._final or code != self._shown_prefix):
                self._shown_prefix = code
                self._painter.draw(code, self._final)

    def _draw_page(self) -> None:
        if not self._web_allowed:
            self._card.show_text(
                "The live preview is off: Chromium's sandbox does not work for root. "
                "Run VisCodex as a normal user."
            )
            self._stack.setCurrentWidget(self._card)
        elif self.web is not None and self._code.strip():
            self.web.show_html(self._code)

    def _page_shown(self, serial: int) -> None:
        if self.web is not None and self._target == "html" and self._code:
            self._stack.setCurrentWidget(self.web)
            self.drawn.emit()

    def _page_blocked(self, count: int) -> None:
        noun = "resource" if count == 1 else "resources"
        self.blocked.show_text(
            f"{count} blocked",
            f"{count} {noun} outside this page were not loaded: the preview has no network.",
        )

    def _page_broke(self, message: str) -> None:
        self._card.show_text(message)
        self._stack.setCurrentWidget(self._card)
        self.failed.emit(message, 0)

    def _chart_drawn(self, drawing: Drawing) -> None:
        if self._target == "html" or not self._code:
            return
        if drawing.final and drawing.code != self._code:
            return  # a newer one is on its way
        if drawing.png is not None:
            image = QImage.fromData(drawing.png)
            if not image.isNull():
                self.chart_png = drawing.png
                self.chart.set_image(image)
                self._stack.setCurrentWidget(self.chart)
        if drawing.final and drawing.error:
            if drawing.png is None and self.chart_png is None:
                self._card.show_text(drawing.error)
                self._stack.setCurrentWidget(self._card)
            self.failed.emit(drawing.error, drawing.line)
        elif drawing.png is not None:
            self.drawn.emit()

    # Look -------------------------------------------------------------------

    def _width_picked(self) -> None:
        self._apply_width()
        self.width_chosen.emit(self.widths.currentData())

    def _apply_width(self) -> None:
        if self.web is None:
            return
        key = self.widths.currentData()
        pixels = {"source": self._source_width, "fit": 0}.get(key)
        self.web.set_page_width(int(key) if pixels is None else pixels)

    def _dress(self) -> None:
        if self.web is not None:
            self.web.set_ground(self._dresser.theme.colour("canvas"))


class _Card(QWidget):
    """A short text in the middle of the pane."""

    def __init__(self) -> None:
        super().__init__()
        self._label = QLabel()
        self._label.setObjectName("muted")
        self._label.setWordWrap(True)
        self._label.setMargin(24)
        self._label.setTextFormat(Qt.TextFormat.PlainText)  # may quote foreign text
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addWidget(self._label)
        layout.addStretch(1)

    def show_text(self, text: str) -> None:
        self._label.setText(text)

"""The preview: a live page for HTML, a drawn picture for charts. Follows the stream, throttled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QAction, QImage

from app.actions import make_actions
from app.i18n import N_, _, language
from app.preview.chart import ChartPainter, Drawing, Runner, chart_page, fitting
from app.preview.colour_scheme import with_scheme
from app.preview.order import Order
from app.preview.permission import Permission
from app.preview_actions import PREVIEW_ACTIONS
from app.session import Picture
from app.stream import runnable_prefix
from app.views.allowing import LEAST_HEIGHT, Allowing
from app.views.card import Card
from app.views.compare_view import CompareView
from app.views.dress import Chip, Dresser, Pane, announce, flat_button
from app.views.page_stack import PageStack
from app.views.picture_view import PictureView
from app.views.preview_menu import PreviewMenu
from app.views.preview_notes import PreviewNotes
from app.views.preview_output import Drawable
from app.views.preview_tools import PreviewTools

if TYPE_CHECKING:
    from app.preview.web import WebPreview

HTML_INTERVAL_MS = 400
CHART_INTERVAL_MS = 1000
NOTE_MS = 4000
DRAWN_WIDTH = 1024
"""Width in pixels of a page's picture where neither the snip nor a choice gives one."""

EMPTY = N_("The preview appears here while the code is written.")
ROOT = N_(
    "The live preview is off: Chromium's sandbox does not work for root. "
    "Run VisCodex as a normal user."
)


class PreviewPane(Pane):
    """Shows what the code draws.

    `failed(message, line)` tells why a finished code did not, `error_line(line, message)` marks the
    line at fault and, with line 0, takes the mark away; `line_chosen(line)` asks to show a line of
    the code, `lines_wanted(list of TextLine)` to mark lines in the source picture.
    """

    failed = Signal(str, int)
    error_line = Signal(int, str)
    line_chosen = Signal(int)
    lines_wanted = Signal(list)
    drawn = Signal()
    width_chosen = Signal(str)

    def __init__(
        self,
        actions: Mapping[str, QAction],
        dresser: Dresser,
        make_runner: Callable[[bool], Runner],
        web_allowed: bool,
    ) -> None:
        super().__init__(_("Preview"))
        self._dresser = dresser
        self._window_actions = actions
        self._web_allowed = web_allowed
        self._target = "html"
        self._code = self._shown_prefix = ""
        self._final = False
        self._source_width = 0
        self._scripts = True
        self._unwalled = False
        self._drawing: Drawing | None = None
        self.web: WebPreview | None = None
        self.chart_png: bytes | None = None
        self._painter = ChartPainter(make_runner, self)
        self._painter.drawn.connect(self._chart_drawn)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._draw)
        self.actions_by_name = make_actions(self, PREVIEW_ACTIONS)
        for spec in PREVIEW_ACTIONS:
            self.addAction(self.actions_by_name[spec.name])
            if spec.icon:
                dresser.icon(self.actions_by_name[spec.name], spec.icon)
        self._build(actions)
        self._connect()
        self.clear()

    # Set-up -----------------------------------------------------------------

    def _build(self, actions: Mapping[str, QAction]) -> None:
        own = self.actions_by_name
        self.note = Chip(_("Notice of the preview"))
        self.more = PreviewMenu(own, actions["scripts"], self._dresser, self._drawable, self)
        self.header.addWidget(self.note)
        self.header.addStretch(1)
        self.header.addWidget(flat_button(own["compare"]))
        self.header.addWidget(flat_button(actions["refresh"]))
        self.header.addWidget(self.more)
        self.tools = PreviewTools(own)
        self.notes = PreviewNotes(own, self._dresser)
        self.allowing = Allowing(self.notes, self._order, self)
        self.compare = CompareView(self._dresser)
        self.card = Card()
        self.chart = PictureView(_("Preview of the chart"))
        self._stack = PageStack(self.card, self.chart, self.compare)
        self.body.setSpacing(0)
        for widget, stretch in ((self.tools, 0), (self._stack, 1), (self.notes, 0)):
            self.body.addWidget(widget, stretch)

    def _connect(self) -> None:
        own = self.actions_by_name
        self.tools.width_picked.connect(self._width_picked)
        self.tools.zoomed.connect(self._zoomed)
        self.notes.line_chosen.connect(self.line_chosen)
        self.compare.lines_wanted.connect(self.lines_wanted)
        self.more.output.told.connect(self._say)
        self.more.output.failed.connect(lambda message: self.failed.emit(message, 0))
        own["compare"].toggled.connect(self._toggle_compare)
        own["page_dark"].toggled.connect(lambda: self._draw())
        self._dresser.theme.changed.connect(self._dress)

    def create_web(self) -> None:
        """Make the web view; called after the first paint, since it is heavy."""
        if self.web is not None or not self._web_allowed:
            return
        from app.preview.web import WebPreview

        view = WebPreview(self)
        view.shown.connect(self._page_shown)
        self.allowing.follow(view)
        view.broke.connect(self._page_broke)
        view.logged.connect(self._logged)
        view.scaled.connect(self._scaled)
        view.stepped.connect(self.tools.step)
        view.scripts = self._scripts
        self.web = view
        self._stack.addWidget(view)
        self._dress()
        self._apply_size()
        if self._code:
            self._draw()

    def shut(self) -> None:
        """Stop everything that runs behind this pane."""
        self._timer.stop()
        self._painter.close()
        self.compare.close_down()
        self.more.output.close()
        self.allowing.close()
        if self.web is not None:
            self.web.shut()

    def focus_pane(self) -> None:
        current = self._stack.currentWidget()
        if current is self.compare:
            self.compare.focus_view()
            return
        if current is None or current is self.card:
            current = self.tools.widths.buttons[self.tools.widths.choice]
        current.setFocus()

    # What is shown ----------------------------------------------------------

    def clear(self) -> None:
        """Nothing to show."""
        self._timer.stop()
        self._code = self._shown_prefix = ""
        self._drawing = None
        self.chart_png = None
        self.allowing.end()
        self.notes.clear()
        self.error_line.emit(0, "")
        self.compare.set_code("", "html", False)
        self._show_card(_(EMPTY))
        self._allow()

    def set_source(self, picture: Picture) -> None:
        """The source picture: pages are laid out at its width, and compared with it."""
        self._source_width = picture.width
        self.compare.set_snip(picture.png)
        self._apply_size()

    def set_scripts(self, on: bool) -> None:
        """Whether previewed pages may run their scripts."""
        self._scripts = on
        self._say_scripts()
        if self.web is not None:
            self.web.scripts = on

    def set_unwalled(self, on: bool) -> None:
        """Whether charts may run where nothing shuts them in."""
        self._unwalled = on
        self._painter.set_unwalled(on)
        self.compare.set_unwalled(on)

    def set_width_choice(self, key: str) -> None:
        self.tools.widths.set_choice(key)
        self._apply_size()

    def show_code(self, code: str, target: str, final: bool) -> None:
        """Show what `code` draws; `final` means at once, with errors told."""
        if code != self._code:
            self.allowing.end()
        self._code, self._target, self._final = code, target or "html", final
        html = self._target == "html"
        self.tools.show_page_tools(html)
        self.notes.setVisible(html)
        self._say_scripts()
        self.compare.set_code(code, self._target, final)
        self._allow()
        if final:
            self._timer.stop()
            self._draw()
        elif not self._timer.isActive():
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
        if not self._code.strip():
            return
        if self._target == "html":
            self._draw_page()
        else:
            code = self._code if self._final else runnable_prefix(self._code)
            if code.strip() and (self._final or code != self._shown_prefix):
                self._shown_prefix = code
                self._painter.draw(code, self._final)

    def _page_text(self) -> str:
        return with_scheme(self._code, self.actions_by_name["page_dark"].isChecked())

    def _draw_page(self) -> None:
        if not self._web_allowed:
            self._show_card(_(ROOT))
        elif self.web is not None:
            self._apply_size()
            page = self._page_text()
            self.allowing.show(page, self._scripts, self._final)
            # Half pages that break one after the other would be told of each time.
            self.web.show_html(page, afresh=self._final)

    def _order(self, permission: Permission) -> Order:
        """The page on screen, for a process of its own that may load what `permission` holds."""
        width, dark = self._page_width(), self._dresser.theme.dark
        size = (width or self._stack.width(), max(LEAST_HEIGHT, self._stack.height()))
        return Order(self._page_text(), permission, self._scripts, dark, width, size, language())

    def _page_shown(self, serial: int) -> None:
        if self.web is None or not self._code:
            return
        if self._target == "html":
            self._drawing = None
            self._show(self.web)
            self.error_line.emit(0, "")
            self.drawn.emit()
        elif self._drawing is not None:
            self._show(self.web)

    def _page_broke(self, message: str) -> None:
        buttons: list[tuple[str, Callable[[], object]]] = [(_("Load again"), self.redraw)]
        scripts = self._window_actions["scripts"]
        if self._scripts and scripts.isChecked():
            buttons.append((_("Load without scripts"), lambda: scripts.setChecked(False)))
        self._show_card(message, buttons)
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
                self._drawing = drawing if drawing.svg else None
                self._show(self.chart)
                self._show_sharp()
        if drawing.final and drawing.error:
            self._chart_failed(drawing, drawing.error)
        elif drawing.png is not None:
            self.error_line.emit(0, "")
            self.drawn.emit()

    def _chart_failed(self, drawing: Drawing, error: str) -> None:
        if drawing.unsafe:
            run = self._window_actions["unwalled"]
            self._show_card(error, [(_("Run it anyway"), lambda: run.setChecked(True))])
        elif self.chart_png is None:
            self._show_card(error)
        self.error_line.emit(drawing.line, error)
        self.failed.emit(error, drawing.line)

    def _show_sharp(self) -> None:
        """The chart as SVG, in the walled page: sharp at every size, whoever wrote it."""
        if self.web is None or self._drawing is None or not self._drawing.svg:
            return
        self._apply_size()
        ground = self._dresser.theme.colour("canvas").name()
        size = self._drawing.size
        share = fitting(size, (self._stack.width(), self._stack.height()))
        self.tools.show_scale(round(100 * (self.tools.zoom or share)), size[0])
        page = chart_page(self._drawing.svg, size, ground, self.tools.zoom)
        self.web.show_html(page)

    def _show(self, page: CompareView | PictureView | Card | WebPreview) -> None:
        """Bring a page to the front, unless the comparison is what people look at."""
        if not self.actions_by_name["compare"].isChecked():
            self._stack.setCurrentWidget(page)
        self._seen = page

    def _show_card(
        self, text: str, buttons: list[tuple[str, Callable[[], object]]] | None = None
    ) -> None:
        self.card.show_text(text, buttons or [])
        self._show(self.card)

    # What people choose -----------------------------------------------------

    def _toggle_compare(self, on: bool) -> None:
        self.tools.setVisible(not on)
        self.notes.setVisible(not on and self._target == "html")
        self._stack.setCurrentWidget(self.compare if on else self._seen)
        if on:
            self.compare.focus_view()
        announce(self, _("Comparison") if on else _("Preview"))

    def _width_picked(self, key: str) -> None:
        self._apply_size()
        self.width_chosen.emit(key)

    def _zoomed(self, _: float) -> None:
        if self._target == "html":
            self._apply_size()
        else:
            self._show_sharp()

    def _apply_size(self) -> None:
        if self.web is None:
            return
        page = self._target == "html"  # a chart's page sees to its size itself
        self.web.set_page_width(self._page_width() if page else 0)
        self.web.set_zoom(self.tools.zoom if page else 0.0)

    def _page_width(self) -> int:
        key = self.tools.widths.choice
        return int(key) if key.isdigit() else {"source": self._source_width, "fit": 0}[key]

    def _scaled(self, percent: int, width: int) -> None:
        if self._target == "html":
            self.tools.show_scale(percent, width)

    def _drawable(self) -> Drawable:
        width = self._page_width() or self._source_width or DRAWN_WIDTH
        code = self._page_text() if self._target == "html" else self._code
        return Drawable(code, self._target, width, self._unwalled)

    def _allow(self) -> None:
        """What the present code can be asked for."""
        html = self._target == "html"
        self.more.allow(self._final and bool(self._code.strip()), html)
        self.tools.allow_dark(self._code if html else "")

    # Notices and look -------------------------------------------------------

    def _say(self, text: str) -> None:
        self.note.show_text(text)
        announce(self, text)
        QTimer.singleShot(NOTE_MS, self.note, lambda: self.note.show_text(""))

    def _say_scripts(self) -> None:
        off = not self._scripts and "<script" in self._code.lower()
        self.notes.show_note(_("Scripts are off: this page may look or behave otherwise.") * off)

    def _logged(self) -> None:
        """While the code is written, every half script complains: only the whole page counts."""
        if self.web is not None and self._target == "html" and self._final:
            self.notes.show_console(self.web.console)

    def _dress(self) -> None:
        if self.web is not None:
            self.web.set_ground(self._dresser.theme.colour("canvas"))
            self._show_sharp()

"""Syntax highlighting: Pygments over the whole text, kept per line, painted by Qt.

Lexing happens at most every 120 ms; between two runs a line shows the colours it had, so text
that streams in neither flickers nor blocks. Of text that grows at its end only the end is lexed,
and once it has come to rest the whole; long texts are lexed on a pool thread. Lines whose colours
changed are painted in slices of a few milliseconds, those the reader sees first.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QSyntaxHighlighter, QTextCharFormat, QTextDocument

from app.documents import document_text

INTERVAL_MS = 120
SETTLE_MS = 500
INLINE_CHARACTERS = 3_000
"""Above this a run would take more than some ten milliseconds and goes to a thread."""

SLICE_SECONDS = 0.006
"""So long lines are painted before the window gets its turn."""

CONTEXT_LINES = 20
"""So many lines before the new text are lexed again with it."""

Span = tuple[int, int, str]
"""start, length, colour token"""

_KINDS: tuple[tuple[str, str], ...] = (
    # The first prefix of a Pygments token's name that fits wins.
    ("Token.Comment", "code_comment"),
    ("Token.Keyword", "code_keyword"),
    ("Token.Operator.Word", "code_keyword"),
    ("Token.Literal.String", "code_string"),
    ("Token.Literal.Number", "code_number"),
    ("Token.Name.Tag", "code_name"),
    ("Token.Name.Attribute", "code_attribute"),
    ("Token.Name.Class", "code_attribute"),
    ("Token.Name.Namespace", "code_name"),
    ("Token.Name.Function", "code_name"),
    ("Token.Name.Builtin", "code_name"),
    ("Token.Name.Decorator", "code_attribute"),
    ("Token.Name.Entity", "code_number"),
    ("Token.Operator", "code_punctuation"),
    ("Token.Punctuation", "code_punctuation"),
)


def _lexer(language: str) -> Any:
    """The Pygments lexer; imported one by one, the whole collection is slow to import."""
    if language == "python":
        from pygments.lexers.python import PythonLexer

        return PythonLexer(stripnl=False, ensurenl=False)
    from pygments.lexers.html import HtmlLexer

    return HtmlLexer(stripnl=False, ensurenl=False)


def spans_by_line(text: str, language: str) -> list[list[Span]]:
    """Coloured spans of each line of `text`; columns count UTF-16 units, as Qt does."""
    lines: list[list[Span]] = [[]]
    column = 0
    cache: dict[Any, str] = {}
    closed = text + _missing_end(text) if language == "html" else text
    for kind, value in _lexer(language).get_tokens(closed):
        colour = cache.get(kind)
        if colour is None:
            name = str(kind)
            colour = next((token for prefix, token in _KINDS if name.startswith(prefix)), "")
            cache[kind] = colour
        for position, piece in enumerate(value.split("\n")):
            if position:
                lines.append([])
                column = 0
            length = len(piece) if piece.isascii() else len(piece.encode("utf-16-le")) // 2
            if colour and length:
                lines[-1].append((column, length, colour))
            column += length
    return lines[: text.count("\n") + 1]


def _missing_end(text: str) -> str:
    """The end tag of a style or script that is still open: without it Pygments gives up on it."""
    tag = _open_tag(text)
    return f"\n</{tag}>" if tag else ""


def _open_tag(text: str) -> str:
    """ "style" or "script" where the end of `text` lies inside of one, else ""."""
    lower = text.lower()
    for tag in ("style", "script"):
        start = lower.rfind(f"<{tag}")
        if start >= 0 and ">" in lower[start:] and f"</{tag}" not in lower[start:]:
            return tag
    return ""


def spans_of_end(text: str, first: int, language: str) -> list[list[Span]]:
    """Spans of the lines from number `first` on, without lexing those before them.

    Good enough while text arrives: a string that was opened further up is not known here.
    """
    lines = text.split("\n")
    opening = _open_tag("\n".join(lines[:first])) if language == "html" else ""
    end = "\n".join(lines[first:])
    if opening:
        return spans_by_line(f"<{opening}>\n{end}", language)[1:]
    return spans_by_line(end, language)


def warm_up() -> None:
    """Have the lexers ready before there is code, on a pool thread.

    Importing them and compiling their expressions would hold the window for some 60 ms.
    """
    QThreadPool.globalInstance().start(_lex_samples)


def _lex_samples() -> None:
    for language, text in _SAMPLES.items():
        spans_by_line(text, language)


_SAMPLES: Mapping[str, str] = {
    "html": "<style>a { color: red; }</style><script>let a = 1;</script><p>",
    "python": "import a",
}
"""Language -> text that needs all lexers behind it."""


class _Lexing(QRunnable):
    """Lexes a text on a pool thread and tells its owner."""

    def __init__(self, owner: _Results, text: str, language: str) -> None:
        super().__init__()
        self._owner, self._text, self._language = owner, text, language

    def run(self) -> None:
        spans: list[list[Span]] = []
        with contextlib.suppress(Exception):  # a text that cannot be lexed has no colours
            spans = spans_by_line(self._text, self._language)
        with contextlib.suppress(RuntimeError):  # the window may be gone by now
            self._owner.ready.emit(self._text, self._language, spans)


class _Results(QObject):
    """Carries the spans from a pool thread to the thread of the document."""

    ready = Signal(str, str, object)


class Highlighter(QSyntaxHighlighter):
    """Paints the spans of the last lexer run; `schedule` asks for a new run."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self._language = "html"
        self._lines: list[list[Span]] = []
        self._formats: dict[str, QTextCharFormat] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._follow)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.refresh)
        self._text = ""  # what the spans belong to
        self.reader_line = 0  # number (from 0) of the first line that is visible
        self.painting = False  # Qt tells of colours as if the text had changed
        self._unpainted: deque[int] = deque()
        self._burst_end = 0.0  # until then lines are painted as Qt asks for them
        self._painter = QTimer(self)
        self._painter.setSingleShot(True)
        self._painter.setInterval(0)
        self._painter.timeout.connect(self._paint_some)
        self._lexing = False  # whether a thread is at it
        self._results = _Results(self)
        self._results.ready.connect(self._lexed)

    def set_language(self, language: str) -> None:
        """ "html" or "python"."""
        if language != self._language:
            self._language = language
            self._text = ""
            self.schedule()

    def set_colours(self, colours: Mapping[str, QColor]) -> None:
        """Take the colours of a theme and paint everything again."""
        self._formats = {}
        for token, colour in colours.items():
            made = QTextCharFormat()
            made.setForeground(colour)
            if token == "code_comment":
                made.setFontItalic(True)
            self._formats[token] = made
        self._paint(range(self.document().blockCount()))

    def schedule(self) -> None:
        """Lex soon; many calls within the interval are one run."""
        if not self._timer.isActive():
            self._timer.start()

    def refresh(self) -> None:
        """Lex the whole text now, or hand a long one to a thread."""
        self._timer.stop()
        self._settle.stop()
        text = document_text(self.document())
        if len(text) <= INLINE_CHARACTERS:
            self._take(text, 0, spans_by_line(text, self._language))
        elif not self._lexing:  # one at a time; what came meanwhile is next
            self._lexing = True
            job = _Lexing(self._results, text, self._language)
            QThreadPool.globalInstance().start(job)

    def _follow(self) -> None:
        """Lex what is new where the text has only grown; later the whole."""
        text = document_text(self.document())
        first = self._text.count("\n") - CONTEXT_LINES
        grown = bool(self._text) and text.startswith(self._text)
        if grown and first > 0 and len(text) - len(self._text) <= INLINE_CHARACTERS:
            self._take(text, first, spans_of_end(text, first, self._language))
            self._settle.start()
        else:
            self.refresh()

    @Slot(str, str, object)
    def _lexed(self, text: str, language: str, lines: list[list[Span]]) -> None:
        """Spans from the thread; of use only if the text still begins like that."""
        self._lexing = False
        present, wanted = document_text(self.document()), language == self._language
        if wanted and present.startswith(text):
            self._take(text, 0, lines)
        if present != text or not wanted:
            self.schedule()

    def _take(self, text: str, first: int, spans: list[list[Span]]) -> None:
        """Use `spans` from line `first` on, and paint the lines again that look different."""
        old, self._lines = self._lines, self._lines[:first] + spans
        self._text = text
        lines, count = self._lines, self.document().blockCount()
        nothing: list[Span] = []
        fresh = {
            number
            for number in range(first, count)
            if number >= len(old)
            or old[number] != (lines[number] if number < len(lines) else nothing)
        }
        self._paint(fresh.union(self._unpainted))  # what still waits is not what `old` says

    def _paint(self, numbers: Iterable[int]) -> None:
        """Paint lines again, beginning where the reader is."""
        self._unpainted = deque(sorted(numbers, key=lambda n: (n < self.reader_line, n)))
        self._paint_some()

    def _paint_some(self) -> None:
        end = time.perf_counter() + SLICE_SECONDS
        document = self.document()
        self.painting = True
        while self._unpainted:
            block = document.findBlockByNumber(self._unpainted.popleft())
            if block.isValid():
                self.rehighlightBlock(block)
            if time.perf_counter() > end:
                self._painter.start()
                break
        self.painting = False

    def _in_time(self, number: int) -> bool:
        """Whether Qt may have this line painted now: after a large edit it asks for thousands."""
        now = time.perf_counter()
        if not self._painter.isActive():
            self._burst_end = now + SLICE_SECONDS
            self._painter.start()
        if now > self._burst_end:
            self._unpainted.append(number)
            return False
        return True

    def highlightBlock(self, text: str) -> None:
        number = self.currentBlock().blockNumber()
        if number >= len(self._lines) or not (self.painting or self._in_time(number)):
            return
        for start, length, token in self._lines[number]:
            found = self._formats.get(token)
            if found is not None:
                self.setFormat(start, length, found)

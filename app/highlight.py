"""Syntax highlighting: Pygments over the whole text, kept per line, painted by Qt.

Lexing happens at most every 120 ms; between two runs a line shows the colours it had, so text
that streams in neither flickers nor blocks. Long texts are lexed on a pool thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QSyntaxHighlighter, QTextCharFormat, QTextDocument

INTERVAL_MS = 120
INLINE_CHARACTERS = 12_000
"""Above this a run would take more than a few milliseconds and goes to a thread."""

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
    lower = text.lower()
    for tag in ("style", "script"):
        start = lower.rfind(f"<{tag}")
        if start >= 0 and ">" in lower[start:] and f"</{tag}" not in lower[start:]:
            return f"\n</{tag}>"
    return ""


class _Lexing(QRunnable):
    """Lexes a text on a pool thread and tells its owner."""

    def __init__(self, owner: _Results, text: str, language: str, revision: int) -> None:
        super().__init__()
        self._owner, self._text = owner, text
        self._language, self._revision = language, revision

    def run(self) -> None:
        spans = spans_by_line(self._text, self._language)
        with contextlib.suppress(RuntimeError):  # the window may be gone by now
            self._owner.ready.emit(self._revision, spans)


class _Results(QObject):
    """Carries the spans from a pool thread to the thread of the document."""

    ready = Signal(int, object)


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
        self._timer.timeout.connect(self.refresh)
        self._results = _Results(self)
        self._results.ready.connect(self._lexed)

    def set_language(self, language: str) -> None:
        """ "html" or "python"."""
        if language != self._language:
            self._language = language
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
        self.rehighlight()

    def schedule(self) -> None:
        """Lex soon; many calls within the interval are one run."""
        if not self._timer.isActive():
            self._timer.start()

    def refresh(self) -> None:
        """Lex now, or hand a long text to a thread."""
        self._timer.stop()
        text = self.document().toPlainText()
        revision = self.document().revision()
        if len(text) <= INLINE_CHARACTERS:
            self._lexed(revision, spans_by_line(text, self._language))
        else:
            job = _Lexing(self._results, text, self._language, revision)
            QThreadPool.globalInstance().start(job)

    @Slot(int, object)
    def _lexed(self, revision: int, lines: list[list[Span]]) -> None:
        if revision != self.document().revision():
            self.schedule()
        old, self._lines = self._lines, lines
        block = self.document().firstBlock()
        number = 0
        while block.isValid():
            new = lines[number] if number < len(lines) else []
            if number >= len(old) or old[number] != new:
                self.rehighlightBlock(block)
            block = block.next()
            number += 1

    def highlightBlock(self, text: str) -> None:
        number = self.currentBlock().blockNumber()
        if number >= len(self._lines):
            return
        for start, length, token in self._lines[number]:
            found = self._formats.get(token)
            if found is not None:
                self.setFormat(start, length, found)

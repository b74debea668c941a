"""A language that nobody speaks, to find texts that are not translated: every letter has an accent
and each text is 40 % longer; what still has plain letters was never asked to be translated."""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterable, Iterator

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QSpinBox,
    QWidget,
)

from app.views.rows import Role

_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ACCENTED = "áḃçḋéḟğĥíĵķļṁñóṗɋŕšţúṽŵẋýžÁḂÇḊÉḞĞĤÍĴĶĻṀÑÓṖɊŔŠŢÚṼŴẊÝŽ"
_ACCENTS = str.maketrans(_PLAIN, _ACCENTED)
LONGER = 0.4

KEYS = r"(?:Ctrl|Alt|Shift|Meta|Esc|Return|Enter|Ins|Del|Left|Right|Up|Down|F\d+|Tab|Space)"
ALWAYS = (
    r"<[^>]*>",  # markup
    rf"\b{KEYS}(?:\+[^\s)<]+)*",  # names of keys, which Qt translates
    r"\b(?:HTML|English|VisCodex|SHA-256|kB|MB|GB|GiB)\b",
)
"""What is the same in every language."""


class Pseudo(gettext.NullTranslations):
    """Translates everything."""

    def gettext(self, message: str) -> str:
        return pseudo(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return pseudo(msgid1 if n == 1 else msgid2)


def pseudo(text: str) -> str:
    """`text` in that language; places to fill stay as they are."""
    pieces = re.split(r"(\{[^}]*\})", text)
    accented = "".join(
        piece if number % 2 else piece.translate(_ACCENTS) for number, piece in enumerate(pieces)
    )
    more = round(LONGER * len(text)) if text.strip() else 0
    end = "…" * text.endswith("…")
    return accented.removesuffix(end) + (" ~~~~~~" * more)[:more].rstrip() + end


def texts(root: QWidget) -> Iterator[tuple[str, str]]:
    """(where, text) of all that people can see, point at or have read out in a window."""
    for widget in (root, *root.findChildren(QWidget)):
        where = f"{type(widget).__name__} {widget.objectName()!r}"
        for text in _of_widget(widget):
            yield where, text
    for action in root.findChildren(QAction):
        for text in (action.text(), action.toolTip(), action.statusTip(), action.iconText()):
            yield f"QAction {action.objectName()!r}", text


def _of_widget(widget: QWidget) -> Iterator[str]:
    yield from (
        widget.windowTitle(), widget.toolTip(), widget.statusTip(), widget.whatsThis(),
        widget.accessibleName(), widget.accessibleDescription(),
    )  # fmt: skip
    if isinstance(widget, QLabel | QAbstractButton):
        yield widget.text()
    elif isinstance(widget, QLineEdit | QPlainTextEdit):
        yield widget.placeholderText()
    elif isinstance(widget, QComboBox):
        yield from (widget.itemText(number) for number in range(widget.count()))
    elif isinstance(widget, QSpinBox):
        yield from (widget.specialValueText(), widget.prefix(), widget.suffix())
    elif isinstance(widget, QMenu):
        yield widget.title()
    elif isinstance(widget, QAbstractItemView):
        yield from _of_rows(widget)


def _of_rows(view: QAbstractItemView) -> Iterator[str]:
    model = view.model()
    roles = (
        Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole,
        Qt.ItemDataRole.AccessibleTextRole, Role.FACTS,
    )  # fmt: skip
    for row in range(model.rowCount(QModelIndex()) if model is not None else 0):
        for role in roles:
            value = model.index(row, 0).data(role)
            if isinstance(value, str):
                yield value


def untranslated(root: QWidget, allowed: Iterable[str] = ()) -> list[str]:
    """Texts with letters that are neither translated nor among `allowed` (patterns)."""
    found = []
    for where, text in texts(root):
        left = text
        for pattern in (*allowed, *ALWAYS):
            left = re.sub(pattern, " ", left)
        if re.search(r"[A-Za-z]{2}", left):
            found.append(f"{where}: {text}")
    return sorted(set(found))

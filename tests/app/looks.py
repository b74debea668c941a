"""What tests of windows share: controls without a name, texts that do not fit, longer words."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)

INTERACTIVE = (
    QAbstractButton, QLineEdit, QComboBox, QAbstractSlider, QPlainTextEdit, QAbstractItemView,
)  # fmt: skip
SETTLING = 3.0  # seconds


def takes_tab(widget: QWidget) -> bool:
    """Whether Tab comes to this widget now: it is there, can be used and says that it wants it."""
    return (
        widget.isVisible()
        and widget.isEnabled()
        and bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
        and widget.focusProxy() is None
        and not _by_arrows(widget)
    )


def _by_arrows(widget: QWidget) -> bool:
    """Of buttons that exclude each other Tab goes to the chosen one, arrows to the others."""
    if not isinstance(widget, QAbstractButton) or not widget.isCheckable() or widget.isChecked():
        return False
    group = widget.group()
    return widget.autoExclusive() if group is None else group.exclusive()


def nameless(root: QWidget) -> list[str]:
    """What can be used and a screen reader could not name.

    The line in a spin box and the list of a box of choices have the names of those.
    """
    return [
        f"{type(widget).__name__} {widget.objectName()!r}"
        for widget in root.findChildren(QWidget)
        if (isinstance(widget, INTERACTIVE) or takes_tab(widget))
        and not isinstance(widget, QScrollBar)
        and not _inside(widget, QAbstractSpinBox, QComboBox)
        and not widget.accessibleName()
    ]


def _inside(widget: QWidget, *kinds: type[QWidget]) -> bool:
    around = widget.parentWidget()
    while around is not None and not isinstance(around, kinds):
        around = around.parentWidget()
    return around is not None


def lengthen(root: QWidget) -> None:
    """Make the words of a window as long as German ones may be: half as long again."""
    for widget in root.findChildren(QWidget):
        if isinstance(widget, QLabel | QAbstractButton) and widget.text():
            text = widget.text()
            widget.setText(text + " " + ("ungewöhnlich " * 40)[: max(3, len(text) // 2)].strip())
    QTest.qWait(50)


def clipped(root: QWidget) -> list[str]:
    """Visible texts that are shown only in part, and controls beyond the edge of their parent,
    once the layout has settled: it may wait for what the system or another thread tells."""
    end = time.monotonic() + SETTLING
    while (found := _clipped(root)) and time.monotonic() < end:
        QTest.qWait(50)
    return found


def _clipped(root: QWidget) -> list[str]:
    found = []
    for widget in root.findChildren(QWidget):
        if not widget.isVisible() or not isinstance(widget, QLabel | QAbstractButton | QComboBox):
            continue
        text = widget.currentText() if isinstance(widget, QComboBox) else widget.text()
        if not text:
            continue
        wraps = isinstance(widget, QLabel) and widget.wordWrap()
        wanted = widget.heightForWidth(widget.width()) if wraps else 0
        parent = widget.parentWidget()
        if (
            (wraps and wanted > widget.height() + 2)
            or (not wraps and widget.minimumSizeHint().width() > widget.width())
            or (parent is not None and widget.geometry().right() > parent.width())
        ):
            found.append(f"{type(widget).__name__}: {text[:40]}")
    return found

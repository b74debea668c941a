"""What tests of windows share: controls without a name, texts that do not fit, longer words."""

from __future__ import annotations

from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)

INTERACTIVE = (
    QAbstractButton, QLineEdit, QComboBox, QAbstractSlider, QPlainTextEdit, QListWidget,
)  # fmt: skip


def nameless(root: QWidget) -> list[str]:
    """Controls that a screen reader could not name; the line inside a spin box has its name."""
    return [
        f"{type(widget).__name__} {widget.objectName()!r}"
        for widget in root.findChildren(QWidget)
        if isinstance(widget, INTERACTIVE)
        and not isinstance(widget, QScrollBar)
        and not isinstance(widget.parentWidget(), QAbstractSpinBox)
        and not widget.accessibleName()
    ]


def lengthen(root: QWidget) -> None:
    """Make the words of a window as long as German ones may be: half as long again."""
    for widget in root.findChildren(QWidget):
        if isinstance(widget, QLabel | QAbstractButton) and widget.text():
            text = widget.text()
            widget.setText(text + " " + ("ungewöhnlich " * 40)[: max(3, len(text) // 2)].strip())
    QTest.qWait(50)


def clipped(root: QWidget) -> list[str]:
    """Visible texts that are shown only in part, and controls beyond the edge of their parent."""
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

"""Run by tests as a process of its own: a window without frame that shows an HTML file.

Arguments: the file, x, y, width, height. Prints "shown" once the page is on screen.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QApplication

TITLE = "page to be snipped"
SETTLE_MS = 300
"""A page that is loaded still has to be painted."""


def main() -> int:
    file, *place = sys.argv[1:]
    application = QApplication(["page"])
    view = QWebEngineView()
    view.setWindowTitle(TITLE)
    view.setWindowFlag(Qt.WindowType.FramelessWindowHint)
    view.setGeometry(*(int(number) for number in place))
    view.loadFinished.connect(
        lambda ok: QTimer.singleShot(SETTLE_MS, lambda: print("shown" if ok else "", flush=True))
    )
    view.show()
    view.load(QUrl.fromLocalFile(str(Path(file).resolve())))
    return application.exec()


if __name__ == "__main__":
    sys.exit(main())

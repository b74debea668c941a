"""The process of an allowed page, which puts a picture of its window where a test can see it.

The only argument is the file. Everything else is as in `python -m app.preview.allowed`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PySide6.QtCore import QTimer

from app.preview.allowed import main
from app.views.allowed_window import AllowedWindow


def look(window: AllowedWindow) -> None:
    target = Path(sys.argv[1])
    beside = target.with_suffix(".part.png")

    def grab() -> None:
        window.grab().save(str(beside))
        os.replace(beside, target)

    timer = QTimer(window)
    timer.timeout.connect(grab)
    timer.start(200)


if __name__ == "__main__":
    main(look=look)

"""Run by `app_rows` as a process: starts the application and tells when its window is painted.

Argument: what `time.monotonic` said when the process was started. Prints one JSON object: `seconds`
from then to the first paint, and what heavy parts were there `early` (at that paint) and `late`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from PySide6.QtCore import QTimer

from app import main as program
from app.views.main_window import MainWindow

POLL_MS = 50
PATIENCE_SECONDS = 60.0


class Watched(MainWindow):
    """The main window; it is the first to hear of its own first paint."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.facts: dict[str, Any] = {}
        self.painted.connect(self._painted)

    def _painted(self) -> None:
        self.facts = {"seconds": time.monotonic() - float(sys.argv[1]), "early": self._heavy()}
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)
        self._timer.start(POLL_MS)

    def _heavy(self) -> dict[str, bool]:
        model = bool(self.controller.session.model)
        return {"preview": self.preview.web is not None, "model": model}

    def _look(self) -> None:
        late = self._heavy()
        passed = time.monotonic() - float(sys.argv[1])
        if all(late.values()) or passed > PATIENCE_SECONDS:
            self._timer.stop()
            print(json.dumps({**self.facts, "late": late}), flush=True)
            self.quit()


def main() -> int:
    program.MainWindow = Watched  # type: ignore[misc]
    return program.main()


if __name__ == "__main__":
    sys.exit(main())

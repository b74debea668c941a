"""Run by test_sandbox_state: asks Chromium for its sandbox and prints what was told, as JSON.

Beside it stands what the kernel says of the render process.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app import bootstrap


def main() -> None:
    application = bootstrap.make_application(["sandbox"])
    from app.preview.sandbox_state import SandboxState

    state = SandboxState(lambda: True)

    def told(finding: Any) -> None:
        page = state._page
        assert page is not None
        lines = Path(f"/proc/{page.renderProcessPid()}/status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        print(json.dumps({**asdict(finding), "seccomp": int(status["Seccomp"])}))
        sys.stdout.flush()
        os._exit(0)

    state.told.connect(told)
    state.start()
    application.exec()


if __name__ == "__main__":
    main()

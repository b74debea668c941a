"""The `viscodex` command as a process, and models for it whose answers are written down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from tests.engine.scripted_model import Script, build, chain

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


def viscodex(*arguments: object, folder: Path = ROOT, timeout: float = 120) -> Ended:
    result = subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    return Ended(result.returncode, result.stdout, result.stderr)


def assert_one_line(ended: Ended, status: int, *words: str) -> None:
    assert ended.status == status, ended
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert len(lines) == 1, ended.err
    assert lines[0].startswith("viscodex: error: ")
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in ended.err


PAGE = ("<!DOCTYPE html>\n", "<body>", "<p>", "Sign in", "</p>", "</body>", "\n``", "`\nmore")
CHART = (
    "import matplotlib.pyplot as plt\n",
    "plt.bar([1, 2], [3, 4])\n",
    "plt.show()\n",
    "<|im_end|>",
)
WORDS = [f"w{index} " for index in range(100)]
ENDLESS = {f"w{i} ": {f"w{(i * 7 + k) % 100} ": 1.0 for k in range(9)} for i in range(100)}
BODIES = [f'<body style="background: #{shade}">' for shade in ("eef", "fff", "222", "c33", "9fb")]
VARIED = Script(
    words=(*BODIES, "Sign in", "\n``", "`\nmore"),
    follows={
        "\n": dict.fromkeys(BODIES, 3.0),
        **{body: {"Sign in": 5.0} for body in BODIES},
        "Sign in": {"\n``": 5.0},
        "\n``": {"`\nmore": 5.0},
    },
)
# Real GGUF files whose answers are written down.
SCRIPTS = {
    "page": chain(*PAGE),
    "chart": replace(chain(*CHART), follows={**chain(*CHART).follows, "```": {"python": 5.0}}),
    "refusal": chain("I ", "can", "not.", "<|im_end|>"),
    "varied": VARIED,
    "endless": Script(words=WORDS, follows={"\n": {"w0 ": 5.0}, **ENDLESS}),
}


def build_scripted(root: Path) -> dict[str, Path]:
    """Folders of models by what they answer."""
    for name, script in SCRIPTS.items():
        files = build(root / name, script)
        card = json.dumps({**files.card.to_json(), "name": name})
        (root / name / "viscodex.json").write_text(card)
    return {name: root / name for name in SCRIPTS}

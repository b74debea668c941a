"""torch's bfloat16 and llama.cpp in one process, in turns: both use matrix units."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = """
from training.export.scoring import TextModel
def results(model):
    with TextModel(model) as text:
        yield text.logits(range(64))
        yield text.logits(range(64))
        assert text.speed(range(64)) > 0
"""
PICTURE = """
from PIL import Image
from engine.cancel import CancelFlag
from engine.llama.session import SessionOptions, VisionSession
from engine.llama.vision import picture_key
from engine.models.store import find_model
from engine.prompt import build_prompt
def results(model):
    files = find_model(model.parent)
    options = SessionOptions(512, files.card.image)
    session = VisionSession(files.model, files.mmproj, options, CancelFlag.private(), print)
    picture = Image.linear_gradient("L").resize((224, 224)).convert("RGB")
    for _ in range(2):
        session.forget()
        with session.tokenize(build_prompt("", "x", ""), picture, picture_key(picture)) as chunks:
            session.prefill(chunks, lambda _: None)
        yield session.logits()
    session.close()
"""
IN_TURNS = """
import sys
from pathlib import Path
import torch
square = torch.ones(256, 256, dtype=torch.bfloat16)
found = set()
for result in results(Path(sys.argv[1])):
    found.add(result.tobytes())
    assert (square @ square).sum().item() == 256**3
print(len(found))
"""


@pytest.mark.parametrize("results", [TEXT, PICTURE], ids=["text", "picture"])
def test_in_turns(results: str) -> None:
    """Q8_0 is a type that matrix units multiply. Where they meet torch's in a thread, the child
    process dies of an illegal instruction (on processors that have AMX)."""
    model = ROOT / "assets" / "models" / "viscodex-nano" / "model-Q8_0.gguf"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", results + IN_TURNS, str(model)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (done.returncode, done.stdout.strip()[-1:]) == (0, "1"), done.stderr[-3000:]

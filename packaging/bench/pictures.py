"""The samples, and pictures like them that no engine has seen."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"


def never_seen(path: Path, number: int) -> bytes:
    """A picture with a corner of its own, so that nothing remembered fits it at any size."""
    image = Image.open(path).convert("RGB")
    image.paste((number * 37 % 256, number * 91 % 256, number * 151 % 256), (0, 0, 16, 16))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()

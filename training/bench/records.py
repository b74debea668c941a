"""Small training records with real pictures, for measuring and testing."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image, ImageDraw

WORDS = ("Sign in", "Email", "Card", "Button", "Page", "Write", "your", "account")


def write_records(folder: Path, count: int = 24, *, text_every: int = 3, side: int = 56) -> Path:
    """Write `count` records into records.jsonl, pictures `side` pixels wide and more beside it;
    every `text_every`-th (0: none) has no picture."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        word = WORDS[number % len(WORDS)]
        row: dict[str, object] = {
            "id": f"r{number}",
            "source": "test",
            "kind": "html",
            "images": [],
            "completion": f"<!DOCTYPE html>\n<p>{word}</p>" + "\n<p>More</p>" * (number % 4),
            "license": "Apache-2.0",
        }
        if text_every and number % text_every == 0:
            row |= {"kind": "qa", "prompt": f"Write the HTML of {word}"}
        else:
            picture = Image.new("RGB", (side + 28 * (number % 3), side + 4), "white")
            draw = ImageDraw.Draw(picture)
            draw.rectangle((6, 6, 30 + number % 20, 30), fill=(200, 10 * number % 255, 30))
            draw.text((6, 40), word, fill="black")
            picture.save(folder / f"{number}.png")
            row["images"] = [f"{number}.png"]
            row["lines"] = [[word, [6, 40, 50, 52], 1.0, [0, 0, 0], [255, 255, 255]]]
        rows.append(row)
    path = folder / "records.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path

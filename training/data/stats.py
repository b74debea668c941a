"""The statistics page of a data set, and records as a person reads them."""

from __future__ import annotations

import base64
import io
import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from engine.errors import VisCodexError
from engine.images import load_picture
from training.data.build import REPORT
from training.data.record import KINDS, SPLITS, Record, read_records, to_row

THUMBNAIL = (280, 200)  # pixels
BINS = (64, 128, 256, 512, 1024, 2048, 4096)  # upper ends, tokens
SIZES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # upper ends, megapixels
EXCERPT = 1500  # characters of code under a thumbnail


@dataclass
class Figures:
    """What is counted over the records of a data set."""

    records: Counter[tuple[str, str]] = field(default_factory=Counter)  # by split and kind
    sources: Counter[tuple[str, str]] = field(default_factory=Counter)  # by source and kind
    licences: Counter[tuple[str, str]] = field(default_factory=Counter)  # by source and licence
    lengths: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    sizes: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    tokens: Counter[str] = field(default_factory=Counter)
    hinted: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))


def count(folder: Path, samples: int) -> Figures:
    """Go once through a data set; the samples are the first of each kind in its (mixed) order."""
    found = Figures()
    for split in SPLITS:
        if split != SPLITS[0] and not (folder / split).is_dir():
            continue
        for record in read_records(folder, split):
            kind = record.kind
            found.records[split, kind] += 1
            found.sources[record.source, kind] += 1
            found.licences[record.source, record.license] += 1
            found.tokens[kind] += record.tokens
            found.hinted[kind] += record.hints is not None
            found.lengths[kind][_bin(record.tokens, BINS)] += 1
            if record.images:
                area = record.size[0] * record.size[1] / 1e6
                found.sizes[kind][_bin(area, SIZES)] += 1
            if len(found.samples[kind]) < samples:
                found.samples[kind].append(record)
    return found


def _bin(value: float, ends: Sequence[float]) -> int:
    return next((place for place, end in enumerate(ends) if value <= end), len(ends))


def write_page(folder: Path, out: Path, samples: int = 12) -> Path:
    """Write the statistics page of the data set in `folder`: one HTML file, pictures in it.

    Raises VisCodexError(bad_input) where there is no data set.
    """
    found = count(folder, samples)
    with_report = folder / REPORT
    report = json.loads(with_report.read_text()) if with_report.exists() else {}
    name = str(report.get("name") or folder.resolve().name)
    kinds = [kind for kind in KINDS if any(found.records[split, kind] for split in SPLITS)]
    pieces = [
        f"<h1>{escape(name)}</h1>",
        _tiles(found, kinds),
        "<h2>Kinds</h2>",
        _kinds(found, kinds),
        "<h2>Sources</h2>",
        _sources(found),
        "<h2>Left out</h2>",
        _left_out(report.get("sources", {})),
        "<h2>Length of the answer, in tokens</h2>",
        _bars(found.lengths, kinds, [f"≤ {end:,}" for end in BINS] + [f"> {BINS[-1]:,}"]),
        "<h2>Size of the picture, in megapixels</h2>",
        _bars(found.sizes, kinds, [f"≤ {end:g}" for end in SIZES] + [f"> {SIZES[-1]:g}"]),
    ]
    for kind in kinds:
        pieces += [f"<h2>Samples: {kind}</h2>", _samples(found.samples[kind], folder)]
    page = _PAGE.replace("@TITLE@", escape(name)).replace("@BODY@", "\n".join(pieces))
    part = out.with_name(out.name + ".part")
    part.write_text(page, encoding="utf-8")
    os.replace(part, out)
    return out


def _tiles(found: Figures, kinds: Sequence[str]) -> str:
    total = sum(found.records.values())
    held = sum(n for (split, _), n in found.records.items() if split == "validation")
    pictures = sum(sum(counter.values()) for counter in found.sizes.values())
    figures = {
        "records": f"{total:,}",
        "held out": f"{held:,}",
        "with a picture": f"{pictures:,}",
        "with hints": f"{sum(found.hinted.values()):,}",
        "tokens": f"{sum(found.tokens.values()):,}",
    }
    tiles = (f"<div><b>{value}</b>{name}</div>" for name, value in figures.items())
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def cell(value: object) -> str:
        if isinstance(value, int):
            return f'<td class="n">{value:,}</td>'
        if isinstance(value, float):
            return f'<td class="n">{value:.1%}</td>'
        return f"<td>{escape(str(value))}</td>"

    lines = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    numbers = [isinstance(value, int | float) for value in rows[0]] if rows else [False] * len(head)
    titles = "".join(
        f"<th{' class=n' if number else ''}>{escape(title)}</th>"
        for title, number in zip(head, numbers, strict=True)
    )
    return f'<div class="wide"><table><tr>{titles}</tr>{lines}</table></div>'


def _kinds(found: Figures, kinds: Sequence[str]) -> str:
    train = sum(found.records["train", kind] for kind in kinds)
    rows = [
        [
            kind,
            found.records["train", kind],
            found.records["train", kind] / max(1, train),
            found.records["validation", kind],
            round(found.tokens[kind] / max(1, sum(found.lengths[kind].values()))),
            found.hinted[kind] / max(1, sum(found.lengths[kind].values())),
        ]
        for kind in kinds
    ]
    return _table(("kind", "train", "share", "validation", "mean tokens", "with hints"), rows)


def _sources(found: Figures) -> str:
    rows = []
    for source, licence in sorted(found.licences):
        kinds = sorted(kind for name, kind in found.sources if name == source)
        rows.append([source, ", ".join(kinds), found.licences[source, licence], licence])
    return _table(("source", "kinds", "records", "licence"), rows)


def _left_out(sources: Mapping[str, Mapping[str, int]]) -> str:
    rows = [
        [source, reason, number]
        for source, reasons in sources.items()
        for reason, number in sorted(
            reasons.items(), key=lambda pair: (pair[0] != "items", -pair[1])
        )
    ]
    return _table(("source", "items, records made, and what was left out", "number"), rows)


def _bars(counters: Mapping[str, Counter[int]], kinds: Sequence[str], labels: Sequence[str]) -> str:
    charts = []
    for kind in kinds:
        counter = counters.get(kind, Counter())
        if not counter:
            continue
        most = max(counter.values())
        bars = "".join(
            f"<span>{escape(label)}</span>"
            f'<i><u style="width:{100 * counter[place] / most:.1f}%"></u></i>'
            f'<span class="n">{counter[place]:,}</span>'
            for place, label in enumerate(labels)
        )
        charts.append(
            f'<figure><figcaption>{kind}</figcaption><div class="bars">{bars}</div></figure>'
        )
    return f'<div class="charts">{"".join(charts)}</div>'


def _samples(records: Sequence[Record], folder: Path) -> str:
    return f'<div class="samples">{"".join(_sample(record, folder) for record in records)}</div>'


def _sample(record: Record, folder: Path) -> str:
    shown = _thumbnail(folder / record.images[0]) if record.images else None
    picture = f'<img src="{shown}" alt="">' if shown else f"<p>{escape(record.prompt[:300])}</p>"
    code = record.completion[:EXCERPT] + ("…" if len(record.completion) > EXCERPT else "")
    size = f"{record.size[0]} x {record.size[1]} px, " if record.images else ""
    hints = f", {len(record.hints)} hints" if record.hints is not None else ""
    return (
        f"<article>{picture}<small>{escape(record.id)}<br>{size}{record.tokens:,} tokens{hints}"
        f"<br>{escape(record.origin)}</small>"
        f"<details><summary>answer</summary><pre>{escape(code)}</pre></details></article>"
    )


def _thumbnail(path: Path) -> str | None:
    try:
        picture = load_picture(path)
    except VisCodexError:
        return None
    picture.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()


def card(record: Record, folder: Path, *, as_json: bool = False) -> str:
    """A record as text: where it comes from, its pictures, the user's words and the answer."""
    if as_json:
        return json.dumps(to_row(record), ensure_ascii=False)
    rows: dict[str, Any] = {
        "id": record.id,
        "kind": record.kind,
        "source": f"{record.source} ({record.license})",
        "origin": record.origin,
        "tokens": record.tokens,
    }
    if record.images:
        rows["pictures"] = ", ".join(str(folder / image) for image in record.images)
        rows["size"] = f"{record.size[0]} x {record.size[1]}"
    head = "\n".join(f"{name:9} {value}" for name, value in rows.items())
    return f"{head}\n\n{record.text()}\n\n{record.completion}\n"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>@TITLE@</title>
<style>
:root { --ink: #1d2430; --soft: #5c6675; --ground: #f6f7f9; --card: #ffffff; --line: #dfe3e9;
  --bar: #3f6fb5; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #9aa5b4; --ground: #14171c; --card: #1d2229; --line: #323a45;
    --bar: #7aa5e6; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 24px; background: var(--ground);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 16px; }
h2 { font-size: 18px; margin: 32px 0 12px; }
small, td.n, span.n, summary, figcaption { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; }
.tiles div, article, figure { background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; padding: 12px; margin: 0; }
.tiles b { display: block; font-size: 22px; color: var(--ink); }
.tiles div { color: var(--soft); }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 6px 12px; text-align: left; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
th { font-weight: 600; }
td.n, th.n, span.n { text-align: right; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 12px; }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: 4px 10px;
  align-items: center; font-size: 13px; margin-top: 6px; }
.bars i { height: 12px; border-radius: 3px; background: var(--ground); }
.bars u { display: block; height: 100%; border-radius: 3px; background: var(--bar); }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 12px;
  align-items: start; }
article { min-width: 0; overflow-wrap: anywhere; }
article img { display: block; max-width: 100%; margin: 0 auto 10px; border: 1px solid var(--line); }
article p { margin: 0 0 10px; }
pre { overflow: auto; max-height: 320px; font-size: 12px; margin: 8px 0 0; }
</style>
</head>
<body>
@BODY@
</body>
</html>
"""

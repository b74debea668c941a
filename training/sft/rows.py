"""Records of JSON Lines files become rows of token numbers on the disk, once and before training.

Samples that are too long are dropped here and counted: cut off, they would lose the tokens of their
picture or the end of their answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Value, load_from_disk
from datasets import Sequence as Several
from datasets.utils.logging import disable_progress_bar

from engine.errors import ErrorCode, VisCodexError
from engine.images import ImageLimits
from training.sft.encode import RecordEncoder
from training.sft.recipe import SftRecipe, files_of
from training.sft.records import RecordError, folder_of, places, read_record
from training.tensors import write_beside

TOO_LONG = "too long"
REPORT = "rows.json"
# "pictures", since by a column "images" TRL would take the rows for texts that are not cut yet.
FEATURES = Features(
    {
        "id": Value("string"),
        "folder": Value("string"),
        "pictures": Several(Value("string")),
        "prompt": Several(Value("int32")),
        "completion": Several(Value("int32")),
        "length": Value("int32"),
        "problem": Value("string"),
    }
)


@dataclass(frozen=True)
class Rows:
    """Rows to train on and rows to validate on (None: none are held out). Columns: `id`, `folder`,
    `pictures`, `prompt` and `completion` as token numbers, `length`. `dropped` counts by reason."""

    train: Dataset
    held_out: Dataset | None
    dropped: Mapping[str, int]

    @property
    def tokens(self) -> int:
        """Tokens of the rows to train on."""
        return int(sum(self.train["length"]))


def make_row(encoder: RecordEncoder, longest: int, short: bool, entry: dict[str, Any]) -> Any:
    """The row of one record; `problem` says why it is none."""
    path = Path(entry["file"])
    folder = folder_of(path)
    row: dict[str, Any] = dict.fromkeys(("pictures", "prompt", "completion"), ()) | {
        "id": "", "folder": str(folder), "length": 0, "problem": ""
    }  # fmt: skip
    try:
        record = read_record(path, entry["place"], short=short)
        encoded = encoder.encode(record, folder)
    except RecordError as error:
        return row | {"problem": str(error)}
    row |= {"id": record.id, "length": encoded.length}
    if encoded.length > longest:
        return row | {"problem": TOO_LONG}
    return row | {
        "pictures": encoder.shown(record),
        "prompt": encoded.prompt,
        "completion": encoded.completion,
    }


def entries_of(files: Sequence[Path]) -> list[tuple[str, int]]:
    """File and place of every record."""
    return [(str(path.absolute()), place) for path in files for place in places(path)]


def named_files(patterns: list[str]) -> list[Path]:
    """The files some patterns name. Raises VisCodexError(bad_input) where there are none."""
    files = files_of(patterns)
    if not files:
        raise VisCodexError(
            ErrorCode.bad_input, f"There are no files {', '.join(patterns)}.", "Check the paths."
        )
    return files


def _key(recipe: SftRecipe, checkpoint: Path, files: Sequence[Path], limits: ImageLimits) -> str:
    """What the rows depend on: settings, tokenizer, and the files by size and time."""
    stats = [(str(path.absolute()), *_stamp(path)) for path in files]
    tokenizer = checkpoint / "tokenizer.json"
    content = hashlib.sha256(tokenizer.read_bytes()).hexdigest() if tokenizer.exists() else ""
    said = recipe.model_dump_json(
        include={"prompt", "longest", "held_out", "held_out_data", "seed", "batch"}
    )
    return hashlib.sha256(f"{stats} {content} {said} {limits}".encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def prepare_rows(
    recipe: SftRecipe,
    checkpoint: Path,
    limits: ImageLimits,
    folder: Path,
    *,
    processes: int | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> Rows:
    """Write the rows of a recipe into `folder`, or take those that lie there and are still right.

    Raises VisCodexError(bad_input) where there is nothing to train on.
    """
    files, others = named_files(recipe.data), []
    if recipe.held_out_data:
        others = named_files(recipe.held_out_data)
    key = _key(recipe, checkpoint, [*files, *others], limits)
    if not _is_current(folder, key):
        report(f"rows: reading {len(files) + len(others)} file(s)")
        part = folder.with_name(f"{folder.name}.part")
        for old in (part, folder):
            shutil.rmtree(old, ignore_errors=True)
        encoder = RecordEncoder(checkpoint, recipe.prompt, limits, recipe.seed)
        kept, dropped = _encode(recipe, encoder, files, part / "all", processes)
        if others:
            held, more = _encode(recipe, encoder, others, part / "other", processes)
            dropped += more
        else:
            kept, held = _split(kept, recipe)
        _must_be_enough(kept, recipe.batch, dropped)
        kept.save_to_disk(part / "train")
        if held is not None:
            held.save_to_disk(part / "held_out")
        del kept, held
        for name in ("all", "other"):
            shutil.rmtree(part / name, ignore_errors=True)
        write_beside(part / REPORT, json.dumps({"key": key, "dropped": dropped}, indent=1) + "\n")
        os.replace(part, folder)
    return _open(folder)


def _is_current(folder: Path, key: str) -> bool:
    try:
        return bool(json.loads((folder / REPORT).read_text())["key"] == key)
    except (OSError, ValueError, KeyError):
        return False


def _open(folder: Path) -> Rows:
    dropped = json.loads((folder / REPORT).read_text())["dropped"]
    held = folder / "held_out"
    return Rows(
        load_from_disk(str(folder / "train")),
        load_from_disk(str(held)) if held.exists() else None,
        dropped,
    )


def _encode(
    recipe: SftRecipe,
    encoder: RecordEncoder,
    files: Sequence[Path],
    folder: Path,
    processes: int | None,
) -> tuple[Dataset, Counter[str]]:
    folder.mkdir(parents=True)
    entries = entries_of(files)
    if not entries:
        raise VisCodexError(ErrorCode.bad_input, "The data files are empty.", "Check the paths.")
    index = Dataset.from_dict({"file": [e[0] for e in entries], "place": [e[1] for e in entries]})
    workers = min(processes or os.cpu_count() or 1, max(1, len(entries) // 200))
    disable_progress_bar()
    rows = index.map(
        partial(make_row, encoder, recipe.longest, recipe.prompt.instruction == "short"),
        features=FEATURES,
        remove_columns=["file", "place"],
        num_proc=workers if workers > 1 else None,
        cache_file_name=str(folder / "rows.arrow"),
        new_fingerprint="rows",  # the files lie in a folder of their own, made anew each time
    )
    problems: list[str] = rows["problem"][:]
    kept = rows.select([n for n, problem in enumerate(problems) if not problem])
    return kept.remove_columns("problem"), Counter(problem for problem in problems if problem)


def _split(rows: Dataset, recipe: SftRecipe) -> tuple[Dataset, Dataset | None]:
    """Hold out the records whose hashed names come first: the same ones whatever else is added."""
    if not recipe.held_out:
        return rows, None
    names: list[str] = rows["id"][:]
    order = sorted(
        range(len(names)),
        key=lambda n: hashlib.sha256(f"{recipe.seed} {names[n]}".encode()).digest(),
    )
    chosen = set(order[: recipe.held_out])
    return (
        rows.select([n for n in range(len(names)) if n not in chosen]),
        rows.select(sorted(chosen)),
    )


def _must_be_enough(rows: Dataset, batch: int, dropped: Mapping[str, int]) -> None:
    if len(rows) >= batch:
        return
    why = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
    raise VisCodexError(
        ErrorCode.bad_input,
        f"{len(rows)} records are left to train on, fewer than one batch of {batch}"
        + (f" (dropped: {why})." if why else "."),
        "Check data, longest, held_out and batch in the recipe.",
    )

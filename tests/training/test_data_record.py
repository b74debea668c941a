"""The training record: what is written comes back, from JSON Lines, Parquet and `datasets`."""

from __future__ import annotations

import dataclasses

import pytest

from engine.errors import VisCodexError
from engine.hints import TextLine
from engine.prompt import HINTS_EXPLAINED
from training.data.record import (
    Record,
    from_row,
    load_split,
    read_records,
    read_rows,
    to_row,
    write_parquet,
    write_rows,
)

LINE = TextLine("a > b", (1.0, 2.0, 30.0, 12.0), 0.9, (0, 0, 0), (255, 255, 255))


def record(number: int, **changes: object) -> Record:
    plain = Record(
        id=f"web/{number}",
        source="web",
        kind="html",
        prompt="Write the HTML.",
        completion=f"```html\n<p>{number}é\u2028</p>\n```",
        license="MIT",
        origin="index.html",
        group=f"g{number}",
        images=(f"parts/{number}.png",),
        size=(320, 200),
        tokens=12,
        hints=(LINE,) if number % 2 else None,
    )
    return dataclasses.replace(plain, **changes)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_what_is_written_comes_back(tmp_path, form):
    records = [record(n) for n in range(7)] + [record(9, images=(), size=(0, 0), kind="qa")]
    path = tmp_path / "train" / f"shard-00000.{form}"
    path.parent.mkdir()
    write = write_parquet if form == "parquet" else write_rows
    assert write(path, map(to_row, records)) == 8
    assert list(read_records(tmp_path)) == records
    assert [from_row(row) for row in read_rows(path)] == records
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("streaming", [True, False])
def test_datasets_reads_the_shards(tmp_path, form, streaming, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    records = [record(n) for n in range(5)]
    (tmp_path / "train").mkdir()
    # The first shard has no hints at all: columns must not be guessed from it.
    for name, part in (("0", records[:1]), ("1", records[1:])):
        path = tmp_path / "train" / f"shard-{name}.{form}"
        (write_parquet if form == "parquet" else write_rows)(path, map(to_row, part))
    found = load_split(tmp_path, streaming=streaming)
    assert [from_row(row) for row in found] == records


def test_prompt_reads_as_the_application_writes_it():
    told = record(1).text(scale=(2.0, 2.0))
    assert told == f"2,4,60,24#000#fff>a &gt; b</\n{HINTS_EXPLAINED}Write the HTML."
    assert record(2).text() == "Write the HTML."


def test_code_is_taken_out_of_the_fence():
    assert record(3).code == "<p>3é\u2028</p>\n"
    talk = record(3, kind="qa", completion="There is no code here.")
    assert talk.code == "There is no code here."


def test_a_folder_without_data_is_told(tmp_path):
    with pytest.raises(VisCodexError, match="no train data"):
        list(read_records(tmp_path))

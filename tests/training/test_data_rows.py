"""Published sets: MCD from its list and zip, WebSight, Web2Code and Chart2Code layouts."""

from __future__ import annotations

import json

import pytest

from engine.errors import VisCodexError
from tests.fixtures.mcd import SAMPLES, write_mcd
from tests.fixtures.sources import run
from training.data.sources.rows import stream_list


def test_mcd_is_read_from_its_list_and_zip(tmp_path, tools):
    rows, images = write_mcd(tmp_path)
    drafts, reasons = run(tools, type="mcd", rows=str(rows), images=str(images))
    assert [draft.record.kind for draft in drafts] == [
        "html", "html", "chart", "chart", "qa", "algorithm",
    ]  # fmt: skip
    assert sorted(reasons) == ["no picture", "unknown category", "unreadable row"]
    assert {draft.record.license for draft in drafts} == {"research only"}
    assert [draft.record.origin for draft in drafts][:2] == ["mcd_598k.json#0", "mcd_598k.json#1"]
    assert all("<image>" not in draft.record.prompt for draft in drafts)
    assert drafts[1].record.completion.startswith("```html\n<!DOCTYPE")  # bare code gets a fence
    assert drafts[3].record.completion.startswith("```python\n")
    assert drafts[5].record.completion.endswith("Done é\u2028.")
    assert drafts[0].pictures[0].data == (SAMPLES / "login.png").read_bytes()
    # Half transparent pixels are laid on white.
    assert drafts[4].pictures[0].image.mode == "RGB"
    assert min(drafts[4].pictures[0].image.getextrema()[0]) >= 127
    assert not drafts[5].pictures
    assert not list(tmp_path.glob("**/*.png"))


def test_code_can_be_drawn_again(tmp_path, tools):
    rows, images = write_mcd(tmp_path)
    told = json.loads(rows.read_text(encoding="utf-8"))[:4]
    told[1]["messages"][1]["content"] = "```html\n" + "<p style='height:9000px'>x</p>" + "```"
    told[3]["messages"][1]["content"] = "```python\nimport matplotlib\n1/0\n```"
    rows.write_text(json.dumps(told))
    plan = {"type": "mcd", "rows": str(rows), "images": str(images)}
    drafts, reasons = run(tools, **plan, check="render")
    assert [draft.record.kind for draft in drafts] == ["html", "chart"]
    assert sorted(reasons) == ["does not render", "too high"]
    assert drafts[0].pictures[0].data == (SAMPLES / "login.png").read_bytes()
    drafts, _ = run(tools, **plan, check="redraw")
    assert drafts[0].pictures[0].data != (SAMPLES / "login.png").read_bytes()
    assert any("Sign in" in line.text for line in drafts[0].lines)


@pytest.mark.parametrize(("kind", "wanted"), [("web2code", "html"), ("chart2code", "chart")])
def test_conversations_with_a_folder_of_pictures(tmp_path, tools, kind, wanted):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes((SAMPLES / "chart.png").read_bytes())
    turns = [
        {"from": "human", "value": "<image>\nWhat code draws this?"},
        {"from": "gpt", "value": "```\ncode\n```"},
    ]
    rows = [
        {"id": "a", "image": "a.png", "conversations": turns},
        {"id": "b", "image": "../../secret.png", "conversations": turns},
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    (tmp_path.parent / "secret.png").write_bytes((SAMPLES / "chart.png").read_bytes())
    drafts, reasons = run(
        tools, type=kind, rows=str(tmp_path / "rows.json"), images=str(tmp_path / "images")
    )
    assert [draft.record.kind for draft in drafts] == [wanted]
    assert drafts[0].record.prompt == "What code draws this?"
    assert reasons == ["no picture"]


def test_websight_parquet(tmp_path, tools):
    import pyarrow
    from pyarrow import parquet

    png = (SAMPLES / "login.png").read_bytes()
    rows = [{"image": {"bytes": png, "path": None}, "text": "<html><p>x</p></html>"}] * 3
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "w.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "x.parquet")
    drafts, reasons = run(tools, type="websight", rows=str(tmp_path))
    assert [draft.record.id for draft in drafts] == [f"websight/{n}" for n in range(6)]
    assert not reasons
    assert drafts[0].record.completion == "```html\n<html><p>x</p></html>\n```"
    assert drafts[0].record.license == "CC-BY-4.0"
    assert "HTML page" in drafts[0].record.prompt


def test_a_list_is_streamed_whatever_the_size_of_reads(tmp_path, monkeypatch):
    values = [{"a": "x" * n, "b": ["]", "[{", '"', "é"]} for n in range(60)] + [
        12,
        -3.5e2,
        None,
        [],
    ]
    path = tmp_path / "list.json"
    for indent in (None, 2):
        path.write_text("\ufeff " + json.dumps(values, indent=indent, ensure_ascii=False), "utf-8")
        for size in (1, 7, 64, 1 << 20):
            monkeypatch.setattr("training.data.sources.rows.READ", size)
            assert list(stream_list(path)) == values


@pytest.mark.parametrize("text", ['{"a": 1}', '[{"a": 1}, {"b"', "[1, 2", "", "[1 }"])
def test_a_broken_list_is_told(tmp_path, text):
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(VisCodexError, match="cannot be read"):
        list(stream_list(path))


def test_a_broken_zip_is_told(tmp_path, tools):
    rows, images = write_mcd(tmp_path)
    images.write_bytes(b"no zip at all")
    with pytest.raises(VisCodexError, match="no zip file"):
        run(tools, type="mcd", rows=str(rows), images=str(images))

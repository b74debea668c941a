"""What is remembered of plans: tables without devices, and a file that may be anything."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import remembered
from engine.devices import Device
from engine.fit import Plan
from engine.remembered import MOST, Memory, Record, arrange, model_id, signature, situation

LAYERS = 36


def plan(device: str, layers: int, free: int = 1000, kv_type: str = "f16") -> Plan:
    gpu = -1 if not device else int(device[-1])
    return Plan(device, gpu, layers, bool(device), 8192, kv_type, 1536, 500, free, "why")


WHOLE, SOME, SEES, NONE = plan("GPU0", 37), plan("GPU0", 20), plan("GPU0", 0), plan("", 0)
OTHER = plan("GPU1", 37)
PLANS = [WHOLE, SOME, SEES, OTHER, NONE]


def name(one: Plan) -> str:
    return signature(one, LAYERS)


def record(worked: Plan | None = None, refused: list[Plan] = [], **more: object) -> Record:  # noqa: B006
    return Record(
        "key",
        "model",
        name(worked) if worked else "",
        {name(one): one.free for one in refused},
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("known", "expected", "says"),
    [
        (record(), PLANS, ""),
        (record(WHOLE), PLANS, ""),
        (record(SOME, [WHOLE]), [SOME, SEES, OTHER, NONE], "could not be loaded"),
        # As many layers as fit today are the same plan.
        (record(replace(SOME, gpu_layers=25), [WHOLE]), [SOME, SEES, OTHER, NONE], "remembered"),
        (record(NONE, [WHOLE, SOME, SEES, OTHER]), [NONE], "remembered"),
        # Something better was never tried.
        (record(SEES, [WHOLE]), PLANS, ""),
        # Much more memory is free than when it was refused.
        (record(SOME, [replace(WHOLE, free=800)]), PLANS, ""),
        (record(SOME, [replace(WHOLE, free=950)]), [SOME, SEES, OTHER, NONE], "remembered"),
        # What worked does not fit any more.
        (record(plan("GPU0", 37, kv_type="q8_0"), [WHOLE]), PLANS, ""),
        (record(failed=("GPU0",)), [OTHER, NONE], "GPU0 ended the engine"),
        (record(failed=("GPU0", "GPU1")), [NONE], "GPU0, GPU1 ended"),
        (record(SOME, [WHOLE], failed=("GPU0",)), [OTHER, NONE], "GPU0 ended"),
        # One that was only being tried when all was switched off.
        (record(trying="GPU0"), PLANS, ""),
        (record(failed=("",)), PLANS, ""),
    ],
)
def test_what_is_tried(known: Record, expected: list[Plan], says: str) -> None:
    found, remark = arrange(PLANS, LAYERS, known)
    assert found == expected
    assert says in remark
    assert bool(remark) == bool(says)
    assert bool(remark) == ("--forget" in remark)


def test_a_record_grows_with_what_happens() -> None:
    one = remembered.refused(record(trying="GPU0"), WHOLE, LAYERS)
    assert (one.refused, one.trying) == ({name(WHOLE): 1000}, "")
    one = remembered.worked(one, SOME, LAYERS)
    assert (one.worked, set(one.refused)) == (name(SOME), {name(WHOLE)})
    assert not remembered.worked(one, WHOLE, LAYERS).refused


def test_a_situation_is_files_devices_library_and_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / "a.gguf", tmp_path / "b.gguf"]
    for path in files:
        path.write_bytes(b"x" * 9)
    model = model_id(*files)
    card = Device("GPU0", "A card", "gpu", 8 << 30, 3 << 30)
    key = situation(model, [card], "1")
    assert situation(model, [replace(card, memory_free=1)], "1") == key
    others = {
        situation(model, [replace(card, memory_total=4 << 30)], "1"),
        situation(model, [replace(card, description="Another")], "1"),
        situation(model, [card, card], "1"),
        situation(model, [card], "2"),
        situation("else", [card], "1"),
    }
    monkeypatch.setattr(remembered, "driver", lambda: "new")
    others.add(situation(model, [card], "1"))
    assert len(others | {key}) == 7
    files[1].write_bytes(b"x" * 10)
    assert model_id(*files) != model
    assert str(tmp_path) not in model


def test_the_file(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "deep" / "plans.json")
    assert memory.records() == []
    assert memory.forget() == 0
    known = replace(record(SOME, [WHOLE]), trying="GPU0")
    memory.keep(known)
    assert Memory(memory.path).find("key", "model") == known
    memory.died("another", "GPU0")
    memory.died("model", "GPU1")
    assert memory.find("key", "model") == known
    memory.died("model", "GPU0")
    assert memory.find("key", "model") == replace(known, trying="", failed=("GPU0",))
    assert memory.find("other", "m") == Record("other", "m")
    for number in range(MOST + 6):
        memory.keep(Record(f"k{number}", "m"))
    assert [one.key for one in memory.records()] == [f"k{n}" for n in range(6, MOST + 6)]
    assert [path.name for path in memory.path.parent.iterdir()] == ["plans.json"]
    assert memory.forget() == MOST
    assert not memory.path.exists()


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file" / "plans.json")
    memory.keep(record())
    assert memory.records() == []
    assert memory.forget() == 0


GOOD = {"key": "k", "model": "m", "worked": "", "refused": {}, "failed": [], "trying": ""}


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ("", 0),
        ("{", 0),
        ("[]", 0),
        ("3", 0),
        ("[" * 100_000, 0),
        (json.dumps({"version": 99, "records": [GOOD]}), 0),
        (json.dumps({"version": 1, "records": 5}), 0),
        (json.dumps({"version": 1, "records": [1, None, {}, GOOD, {**GOOD, "refused": 3}]}), 1),
        (json.dumps({"version": 1, "records": [{**GOOD, "refused": {"a": float("inf")}}]}), 0),
        (json.dumps({"version": 1, "records": [{**GOOD, "key": 3}]}), 0),
        ("x" * 2_000_000, 0),
    ],
)
def test_garbage_is_nothing(content: str, count: int, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "plans.json")
    memory.path.write_text(content)
    assert len(memory.records()) == count
    memory.keep(Record("new", "m"))
    assert memory.records()[-1].key == "new"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*GOOD, "version", "records"]), inner, max_size=6)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_no_content_is_too_odd(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    memory = Memory(tmp_path_factory.getbasetemp() / "odd.json")
    memory.path.write_text(json.dumps({"version": 1, "records": value}))
    for one in memory.records():
        arrange(PLANS, LAYERS, one)

"""The arithmetic of loading: tables of models and devices, no device touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.devices import Device
from engine.fit import (
    GIB,
    MARGIN,
    ModelSizes,
    Plan,
    cache_bytes,
    model_sizes,
    plans,
    text_scratch,
    vision_bytes,
)
from engine.models.header import read_header


def model(layers: int, billions: float, cell_values: int, width: int) -> ModelSizes:
    """Published shapes of Qwen2.5-VL at about 4.8 bits a weight, vision part in 16 bits."""
    weights = round(billions * 1e9 * 0.6)
    rest = weights // 8
    return ModelSizes(
        (((weights - rest) // layers),) * layers, rest, cell_values, width, 152_064,
        round(1.35e9), 1280,
    )  # fmt: skip


MODELS = {
    "3B": model(36, 3.1, 512, 2048),
    "7B": model(28, 7.6, 1024, 3584),
    "32B": model(64, 32.8, 2048, 5120),
}
CONTEXT, TOKENS = 8192, 2048


def card(gib: float, kind: str = "gpu", name: str = "CUDA0") -> Device:
    return Device(name, f"A card of {gib:g} GiB", kind, round(gib * GIB), round(gib * GIB))


def first(name: str, *devices: Device, memory: float = 64.0) -> Plan:
    return plans(MODELS[name], devices, round(memory * GIB), CONTEXT, TOKENS)[0]


@pytest.mark.parametrize(
    ("name", "gib", "layers", "kv_type"),
    [
        ("3B", 8, 37, "f16"),
        ("3B", 4, None, "f16"),
        ("7B", 24, 29, "f16"),
        ("7B", 8, 29, "f16"),
        ("7B", 6, None, "f16"),
        ("32B", 32, 65, "f16"),
        ("32B", 24, 65, "f16"),
        ("32B", 14, None, "f16"),
        ("32B", 4, 0, "f16"),
    ],
)
def test_what_goes_onto_a_card(name: str, gib: float, layers: int | None, kv_type: str) -> None:
    plan = first(name, card(gib))
    assert plan.device == "CUDA0"
    assert plan.kv_type == kv_type
    assert plan.vision_on_gpu
    assert plan.needed <= gib * GIB - MARGIN
    count = len(MODELS[name].layers)
    if layers is None:
        assert count / 4 <= plan.gpu_layers < count
        assert f"{plan.gpu_layers} of {count} layers" in plan.reason
    else:
        assert plan.gpu_layers == layers


def test_a_card_that_is_a_little_short_gets_a_smaller_cache() -> None:
    sizes = MODELS["7B"]
    whole = sizes.text + text_scratch(sizes) + vision_bytes(sizes, TOKENS) + MARGIN
    full, half = (cache_bytes(sizes, 28, CONTEXT, kind) for kind in ("f16", "q8_0"))
    assert half < 0.54 * full
    plan = first("7B", card((whole + 0.8 * full) / GIB))
    assert (plan.gpu_layers, plan.kv_type, plan.context) == (29, "q8_0", CONTEXT)
    assert "8-bit" in plan.reason
    plan = first("7B", card((whole + 0.5 * full) / GIB))
    assert (plan.gpu_layers, plan.image_tokens) == (29, TOKENS // 2)


def test_the_card_with_most_room_is_tried_first_and_the_processor_last() -> None:
    devices = [card(6, name="A"), card(0, "cpu", "CPU"), card(24, name="B")]
    found = plans(MODELS["7B"], devices, 64 * GIB, CONTEXT, TOKENS)
    assert (found[0].device, found[0].gpu) == ("B", 1)
    assert "A" in {plan.device for plan in found}
    assert (found[-1].device, found[-1].gpu_layers, found[-1].vision_on_gpu) == ("", 0, False)
    assert [plan.device for plan in plans(MODELS["7B"], [], 64 * GIB, CONTEXT, TOKENS)] == [""]


def test_shared_memory_is_not_taken_whole() -> None:
    own, shared = first("7B", card(12)), first("7B", card(12, "igpu"))
    assert own.gpu_layers == 29
    assert 0 < shared.gpu_layers < 29


def test_too_little_main_memory_is_said_with_the_numbers() -> None:
    plan = first("32B", memory=8.0)
    assert plan.needed > 8 * GIB
    assert "8.0 GiB are free" in plan.reason
    roomy = first("32B", memory=64.0)
    assert roomy.needed <= roomy.free
    assert (roomy.context, roomy.image_tokens, roomy.kv_type) == (CONTEXT, TOKENS, "f16")


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(MODELS)),
    st.lists(st.tuples(st.sampled_from(("gpu", "igpu")), st.floats(0, 80)), max_size=3),
    st.floats(0.1, 128),
    st.integers(512, 32_768),
    st.integers(64, 4096),
)
def test_no_plan_promises_more_than_there_is(
    name: str, rooms: list[tuple[str, float]], memory: float, context: int, tokens: int
) -> None:
    devices = [card(gib, kind, f"G{n}") for n, (kind, gib) in enumerate(rooms)]
    found = plans(MODELS[name], devices, round(memory * GIB), context, tokens)
    assert found[-1].device == ""
    for plan in found:
        assert plan.context <= context
        assert plan.image_tokens <= tokens
        assert 0 <= plan.gpu_layers <= len(MODELS[name].layers) + 1
        if plan.device:
            device = devices[plan.gpu]
            assert device.name == plan.device
            assert plan.needed <= device.memory_free - MARGIN


def test_sizes_come_from_the_headers(tiny_model_dir: Path) -> None:
    (text,), (vision,) = (tiny_model_dir.glob(f"{kind}-*.gguf") for kind in ("model", "mmproj"))
    sizes = model_sizes(read_header(text), read_header(vision))
    assert len(sizes.layers) == 2
    assert sizes.cell_values == 2 * 2 * 64  # two shared heads of 64, keys and values
    assert (sizes.width, sizes.vocabulary, sizes.vision_width) == (256, 512, 128)
    assert 0.9 * text.stat().st_size < sizes.text < text.stat().st_size
    assert 0.9 * vision.stat().st_size < sizes.vision < vision.stat().st_size
    (plan,) = plans(sizes, [], 8 * GIB, 1024, 64)
    assert plan.needed < 100_000_000

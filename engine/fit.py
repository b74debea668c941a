"""How much of a model fits where: weights, cells, vision and scratch against free memory.

Nothing here touches a device; it is arithmetic on what the headers and the drivers tell. llama.cpp
has such a fit of its own, but not where its C interface can reach it. An estimate may err, so
plans come in order, best first: whoever loads a model tries the next one where the first fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.devices import Device
from engine.models.header import Header

GIB = 1 << 30
GRAPHICS = ("gpu", "igpu")  # kinds of devices to offload to
BATCH = 512  # rows of one pass, for which scratch is reserved
MARGIN = 1 * GIB  # left free on a graphics card, for the driver and other programs
SHARED = 0.5  # share of memory that a graphics unit without memory of its own may take
CELL_BYTES = {"f16": 2.0, "q8_0": 34 / 32}  # bytes of one cached value
# Buffers of one row's width alive at a time: estimates, not measured on a graphics card.
TEXT_SCRATCH = 8
VISION_SCRATCH = 16
LEAST_CONTEXT = 4096
LEAST_LAYERS = 0.25  # share of layers on the card under which only the vision part goes there


@dataclass(frozen=True)
class ModelSizes:
    """What a plan needs to know of a model; all sizes in bytes, `cell_values` per layer."""

    layers: tuple[int, ...]
    rest: int  # embeddings and output
    cell_values: int
    width: int
    vocabulary: int
    vision: int
    vision_width: int

    @property
    def text(self) -> int:
        """All weights of the language model."""
        return sum(self.layers) + self.rest


@dataclass(frozen=True)
class Plan:
    """How a model is loaded. `device` is a name of ggml, "" for the processor alone.

    `gpu_layers` counts the output as one more layer, as llama.cpp does; `gpu` is the device's
    number among the graphics devices. `needed` and `free` are bytes on the device, or of main
    memory. `reason` says in words what was chosen and why.
    """

    device: str
    gpu: int
    gpu_layers: int
    vision_on_gpu: bool
    context: int
    kv_type: str
    image_tokens: int
    needed: int
    free: int
    reason: str


@dataclass(frozen=True)
class _Setting:
    """A step down from the best: cells, their type, and the size at which pictures are seen."""

    kv_type: str = "f16"
    context: float = 1.0
    images: float = 1.0
    words: str = ""


SETTINGS = (
    _Setting(),
    _Setting("q8_0", words="8-bit cache"),
    _Setting("q8_0", images=0.5, words="8-bit cache, smaller pictures"),
    _Setting("q8_0", 0.5, 0.5, "8-bit cache, smaller pictures, half the context"),
)


def model_sizes(text: Header, vision: Header) -> ModelSizes:
    """Read the sizes off two headers that `check_headers` has accepted."""
    arch = text.architecture
    count = int(text.keys[f"{arch}.block_count"])
    layers, rest = [0] * count, 0
    for name, tensor in text.tensors.items():
        parts = name.split(".")
        if parts[0] == "blk" and parts[1].isdigit() and int(parts[1]) < count:
            layers[int(parts[1])] += tensor.size
        else:
            rest += tensor.size
    width = int(text.keys[f"{arch}.embedding_length"])
    heads = int(text.keys[f"{arch}.attention.head_count"])
    shared = int(text.keys.get(f"{arch}.attention.head_count_kv", heads))
    key = int(text.keys.get(f"{arch}.attention.key_length", width // heads))
    value = int(text.keys.get(f"{arch}.attention.value_length", width // heads))
    embeddings = text.tensors.get("token_embd.weight")
    return ModelSizes(
        layers=tuple(layers),
        rest=rest,
        cell_values=shared * (key + value),
        width=width,
        vocabulary=embeddings.dims[1] if embeddings is not None else 0,
        vision=sum(tensor.size for tensor in vision.tensors.values()),
        vision_width=int(vision.keys["clip.vision.embedding_length"]),
    )


def cache_bytes(model: ModelSizes, layers: int, context: int, kv_type: str) -> int:
    """The KV cache of some layers."""
    return round(layers * model.cell_values * context * CELL_BYTES[kv_type])


def text_scratch(model: ModelSizes) -> int:
    """Buffers of one pass through the language model: logits and activations of all its rows."""
    return BATCH * 4 * (model.vocabulary + TEXT_SCRATCH * model.width)


def vision_bytes(model: ModelSizes, image_tokens: int) -> int:
    """Vision weights and the buffers for one picture (4 patches a token, flash attention)."""
    return model.vision + 4 * image_tokens * model.vision_width * 4 * VISION_SCRATCH


def _usable(device: Device) -> int:
    if device.kind == "igpu":
        return min(device.memory_free, round(device.memory_total * SHARED)) - MARGIN
    return device.memory_free - MARGIN


def plans(
    model: ModelSizes, devices: Sequence[Device], memory: int, context: int, image_tokens: int
) -> list[Plan]:
    """Ways to load a model, best first; the last one is always on the processor alone.

    `memory` is free main memory in bytes; `context` in cells and `image_tokens` are what the model
    would like. Graphics devices are tried from the one with most free memory on.
    """
    graphics = [device for device in devices if device.kind in GRAPHICS]
    order = sorted(range(len(graphics)), key=lambda number: -_usable(graphics[number]))
    found: list[Plan] = []
    for number in order:
        found += _on_device(model, graphics[number], number, context, image_tokens)
    found.append(_on_processor(model, memory, context, image_tokens, bool(graphics)))
    return found


def _scaled(setting: _Setting, context: int, image_tokens: int) -> tuple[int, int]:
    cells = max(min(context, LEAST_CONTEXT), round(context * setting.context))
    return cells, max(1, round(image_tokens * setting.images))


def _on_device(
    model: ModelSizes, device: Device, number: int, context: int, image_tokens: int
) -> Iterator[Plan]:
    free = _usable(device)
    count = len(model.layers)
    for setting in SETTINGS:  # everything on the card
        cells, tokens = _scaled(setting, context, image_tokens)
        needed = (
            model.text
            + cache_bytes(model, count, cells, setting.kv_type)
            + text_scratch(model)
            + vision_bytes(model, tokens)
        )
        if needed <= free:
            reason = f"{device.description or device.name}: the whole model"
            yield Plan(
                device.name, number, count + 1, True, cells, setting.kv_type, tokens, needed,
                device.memory_free, reason + (f" ({setting.words})" if setting.words else ""),
            )  # fmt: skip
            break
    # Layers from the end on, as llama.cpp offloads them; the rest computes on the processor.
    needed = vision_bytes(model, image_tokens) + text_scratch(model)
    fitting = 0
    for weights in reversed(model.layers):
        more = needed + weights + cache_bytes(model, 1, context, "f16")
        if more > free:
            break
        needed, fitting = more, fitting + 1
    if count > fitting >= LEAST_LAYERS * count:
        reason = f"{device.description or device.name}: {fitting} of {count} layers fit"
        yield Plan(
            device.name, number, fitting, True, context, "f16", image_tokens, needed,
            device.memory_free, reason,
        )  # fmt: skip
    seeing = vision_bytes(model, image_tokens)
    if seeing <= free:
        reason = f"{device.description or device.name}: only the vision part"
        yield Plan(
            device.name, number, 0, True, context, "f16", image_tokens, seeing,
            device.memory_free, reason,
        )  # fmt: skip


def _on_processor(
    model: ModelSizes, memory: int, context: int, image_tokens: int, has_graphics: bool
) -> Plan:
    why = "processor: no graphics device has room" if has_graphics else "processor"
    for setting in SETTINGS:
        cells, tokens = _scaled(setting, context, image_tokens)
        needed = (
            model.text
            + cache_bytes(model, len(model.layers), cells, setting.kv_type)
            + text_scratch(model)
            + vision_bytes(model, tokens)
        )
        reason = f"{why} ({setting.words})" if setting.words else why
        plan = Plan("", -1, 0, False, cells, setting.kv_type, tokens, needed, memory, reason)
        if needed <= memory:
            return plan
    short = f"{why}: it needs {needed / GIB:.1f} GiB, {memory / GIB:.1f} GiB are free"
    return Plan("", -1, 0, False, cells, setting.kv_type, tokens, needed, memory, short)

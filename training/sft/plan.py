"""What a training would be, told before it is begun: parameters, tokens, steps, memory."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError
from training.checkpoint import Checkpoint
from training.sft.recipe import ATTENTION, LoraPlan, SftRecipe
from training.sft.rows import TOO_LONG, entries_of, make_row, named_files
from training.sft.run import Begun

PROBED = 400  # records that are read for the estimate
FULL, COMPUTED = 4, 2  # bytes of a value in float32 and in bfloat16
ADAM = 8  # two moments in float32
QUANTIZED = 0.56  # nf4 with its scales
LOGITS = 32768 * 4 * 4  # TRL scores tiles of so many values; a few of them live at a time
OVERHEAD = 1.1  # what an allocator leaves unused


@dataclass(frozen=True)
class Estimate:
    """Parameters, records and tokens (`exact` where all were read), and bytes on each device."""

    parameters: int
    trained: int
    records: int
    dropped: Counter[str]
    tokens: int
    longest: int
    exact: bool
    steps: int
    memory: int

    def lines(self, recipe: SftRecipe) -> list[str]:
        """In words."""
        about = "" if self.exact else "about "
        what = "adapters of the language model" if recipe.lora else " and ".join(recipe.train)
        per_step = self.tokens / max(1, self.records) * recipe.batch
        dropped = ", ".join(f"{about}{n} {why}" for why, n in sorted(self.dropped.items()))
        world = recipe.machines.world
        return [
            f"trained: {self.trained / 1e6:,.1f} M of {self.parameters / 1e6:,.1f} M ({what})",
            f"records: {about}{self.records:,} with {about}{self.tokens:,} tokens, the longest "
            f"{self.longest:,}" + (f"; dropped: {dropped}" if dropped else ""),
            f"steps: {about}{self.steps:,} of {recipe.batch} samples ({per_step:,.0f} tokens), "
            f"{about}{self.steps * per_step:,.0f} tokens in all",
            f"memory: about {self.memory / 1e9:.1f} GB on each of {world} device(s)",
        ]


def estimate(begun: Begun) -> Estimate:
    """Look at some records and at the headers of the weights. Raises VisCodexError where the data
    holds nothing to train on."""
    recipe, base = begun.recipe, begun.base
    entries = entries_of(named_files(recipe.data))
    step = max(1, len(entries) // PROBED)
    probed = entries[::step]
    short = recipe.prompt.instruction == "short"
    rows = [
        make_row(begun.encoder, recipe.longest, short, {"file": file, "place": place})
        for file, place in probed
    ]
    kept = [row["length"] for row in rows if not row["problem"]]
    share = len(entries) / max(1, len(probed))
    held = 0 if recipe.held_out_data else recipe.held_out
    records = max(0, round(len(kept) * share) - held)
    if records < recipe.batch:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"{records} records are left to train on, fewer than one batch of {recipe.batch}.",
            "Check data, longest, held_out and batch in the recipe.",
        )
    tokens = round(sum(kept) / len(kept) * records)
    longest = max(kept)
    problems = Counter(row["problem"] for row in rows if row["problem"])
    dropped = Counter({why: round(count * share) for why, count in problems.items()})
    if TOO_LONG in dropped:
        longest = recipe.longest
    steps = recipe.steps or math.ceil(records // recipe.batch * recipe.epochs)
    total = sum(base.values(name).count for name in base.tensors)
    return Estimate(
        total, trained_parameters(base, recipe), records, dropped, tokens, longest, step == 1,
        steps, memory(base, recipe, longest),
    )  # fmt: skip


def trained_parameters(base: Checkpoint, recipe: SftRecipe) -> int:
    """How many values move."""
    if recipe.lora is not None:
        return _adapter_parameters(base, recipe.lora)
    return sum(
        base.values(name).count
        for name, tensor in base.tensors.items()
        if tensor.module in recipe.train
    )


def _adapter_parameters(base: Checkpoint, plan: LoraPlan) -> int:
    ends = tuple(
        f"{'self_attn' if target in ATTENTION else 'mlp'}.{target}.weight"
        for target in plan.targets
    )
    return sum(
        plan.rank * sum(base.values(name).shape)
        for name in base.tensors
        if name.startswith("language.layers.") and name.endswith(ends)
    )


def memory(base: Checkpoint, recipe: SftRecipe, longest: int) -> int:
    """About how many bytes one device holds: weights, their training, the longest sample.

    Full training keeps float32 weights, gradients and two moments: 16 bytes a parameter, spread
    over all devices with FSDP. Of the activations, with checkpointing, one vector a token and layer
    stays and one layer is computed again; without, about 16 vectors and 4 of the feed-forward's
    width stay in every layer.
    """
    total = sum(base.values(name).count for name in base.tensors)
    trained = trained_parameters(base, recipe)
    spread = recipe.machines.world if recipe.machines.fsdp else 1
    if recipe.lora is None:
        held = (total * FULL + trained * (FULL + ADAM)) / spread
        if recipe.machines.offload:
            held = 0.0
    else:
        each = QUANTIZED if recipe.lora.quantize else COMPUTED
        held = (total * each + trained * (2 * FULL + ADAM)) / spread
    if spread > 1:  # the outer group and one layer are gathered for the time they compute
        inner = sum(base.values(n).count for n in base.tensors if n.startswith("language.layers."))
        layers = base.text.integer("num_hidden_layers")
        held += (total - inner + 2 * inner / layers) * COMPUTED
    tokens = longest * recipe.device_batch
    width, forward = base.text.integer("hidden_size"), base.text.integer("intermediate_size")
    layers = base.text.integer("num_hidden_layers")
    one = tokens * (16 * width + 4 * forward) * COMPUTED
    kept = tokens * width * COMPUTED * layers + one
    if not recipe.gradient_checkpointing:
        kept = one * layers
    return round((held + kept + LOGITS) * OVERHEAD)


def dry_run(begun: Begun, command: str) -> list[str]:
    """The whole plan, a line each."""
    recipe = begun.recipe
    return [
        f"{recipe.name}: from {Path(recipe.model)} ({begun.base.family})",
        *estimate(begun).lines(recipe),
        f"launch: {command}",
    ]

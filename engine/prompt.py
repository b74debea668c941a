"""The layout of a prompt: picture, text read from it, instruction, start of the answer.

What varies comes late, so that the part before it can stay in the KV cache from one request to the
next. Parts are tokenized one by one; only template parts may hold special tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.tasks import AUTO_INSTRUCTION, AUTO_INSTRUCTION_SHORT, FENCE, Task

HINTS_EXPLAINED = (
    "The lines above were read from the picture: box in pixels, colours of ink and ground, text.\n"
)


@dataclass(frozen=True)
class PromptPart:
    """A stretch of prompt: `template` may hold special tokens, `data` never does."""

    kind: Literal["template", "data", "image"]
    text: str = ""


@dataclass(frozen=True)
class Layout:
    """What a chat template puts around the parts of a prompt.

    `plain` opens a prompt without a system text; with one it stands between the two texts of
    `system`. `between` comes behind the picture, `answer` behind the instruction.
    """

    plain: str
    system: tuple[str, str]
    between: str
    answer: str

    def opening(self, system: str) -> str:
        """Everything before the picture."""
        return self.system[0] + system + self.system[1] if system else self.plain


CHATML = Layout(
    plain="<|im_start|>user\n",
    system=("<|im_start|>system\n", "<|im_end|>\n<|im_start|>user\n"),
    between="",
    answer="<|im_end|>\n<|im_start|>assistant\n",
)


def build_prompt(
    hints: str, instruction: str, prefill: str, system: str = "", layout: Layout = CHATML
) -> list[PromptPart]:
    """Parts of a prompt with one picture, in order. `prefill` begins the answer."""
    opening = layout.opening(system)
    parts = [PromptPart("template", opening)] if opening else []
    parts.append(PromptPart("image"))
    if layout.between:
        parts.append(PromptPart("template", layout.between))
    if hints:
        parts.append(PromptPart("data", hints))
    parts.append(PromptPart("data", instruction))
    parts.append(PromptPart("template", layout.answer + prefill))
    return parts


def instruction_for(
    task: Task | None,
    refine: tuple[str, str] | None,
    short: bool = False,
    region: tuple[float, float, float, float] | None = None,
) -> str:
    """What the model is told to do; `task` is None where it is to choose one itself.

    `refine` is (change, code so far), `short` the wording for models trained on the short one,
    `region` the box of the picture, as the model sees it, that the change is limited to.
    """
    if task is None:
        return AUTO_INSTRUCTION_SHORT if short else AUTO_INSTRUCTION
    instruction = task.short_instruction if short else task.instruction
    if refine is None:
        return instruction
    change, code = refine
    where = ""
    if region is not None:
        box = ",".join(str(max(0, round(value))) for value in region)
        where = f"Only what the box {box} of the picture shows: "
    return (
        f"{instruction}\nThis is the code so far:\n{task.prefill}{code.rstrip()}\n{FENCE}\n"
        f"Change it, and write all of it again: {where}{change.strip()}"
    )


def seen_region(
    region: tuple[float, float, float, float] | None, scale: tuple[float, float]
) -> tuple[float, float, float, float] | None:
    """A box in pixels of the picture as a box in pixels as the model sees it."""
    if region is None:
        return None
    across, down = scale
    return region[0] * across, region[1] * down, region[2] * across, region[3] * down

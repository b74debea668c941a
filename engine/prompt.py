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


def build_prompt(hints: str, instruction: str, prefill: str, system: str = "") -> list[PromptPart]:
    """Parts of a prompt with one picture, in order. `prefill` begins the answer."""
    opening = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    parts = [PromptPart("template", opening + "<|im_start|>user\n"), PromptPart("image")]
    if hints:
        parts.append(PromptPart("data", hints))
    parts.append(PromptPart("data", instruction))
    parts.append(PromptPart("template", "<|im_end|>\n<|im_start|>assistant\n" + prefill))
    return parts


def instruction_for(task: Task | None, refine: tuple[str, str] | None, short: bool = False) -> str:
    """What the model is told to do; `task` is None where it is to choose one itself.

    `refine` is (change, code so far), `short` the wording for models trained on the short one.
    """
    if task is None:
        return AUTO_INSTRUCTION_SHORT if short else AUTO_INSTRUCTION
    instruction = task.short_instruction if short else task.instruction
    if refine is None:
        return instruction
    change, code = refine
    return (
        f"{instruction}\nThis is the code so far:\n{task.prefill}{code.rstrip()}\n{FENCE}\n"
        f"Change it, and write all of it again: {change.strip()}"
    )

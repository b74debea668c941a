"""The tokenizer of a checkpoint (tokenizer.json, byte-level BPE) as GGUF has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gguf
from gguf import TokenType
from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from training.checkpoint import Checkpoint
from training.tensors import broken, read_json

# llama.cpp knows this way of cutting text by the name "qwen2".
PRE_TOKENIZER = "qwen2"
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TURN_END, TEXT_END = "<|im_end|>", "<|endoftext|>"
# Special token -> the key of config.json that must give its number, where there is one.
SPECIAL: Mapping[str, str] = {
    TEXT_END: "",
    "<|im_start|>": "",
    TURN_END: "",
    "<|vision_start|>": "vision_start_token_id",
    "<|vision_end|>": "vision_end_token_id",
    "<|image_pad|>": "image_token_id",
}
PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by number with their kinds, merges by rank, and the template of a conversation."""

    tokens: list[str]
    kinds: list[TokenType]
    merges: list[str]
    template: str

    def write(self, writer: gguf.GGUFWriter) -> None:
        """Add the keys of `tokenizer.ggml`."""
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(PRE_TOKENIZER)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.kinds)
        writer.add_token_merges(self.merges)
        # A chat model ends its turn, whatever its base ended a text with.
        writer.add_eos_token_id(self.tokens.index(TURN_END))
        writer.add_pad_token_id(self.tokens.index(TEXT_END))
        writer.add_bos_token_id(self.tokens.index(TEXT_END))
        writer.add_add_bos_token(False)
        writer.add_chat_template(self.template)


def read_vocabulary(checkpoint: Checkpoint) -> Vocabulary:
    """Read and check tokenizer and template.

    Raises VisCodexError(model_broken): no byte-level BPE cut as Qwen2 does, numbers outside the
    vocabulary, special tokens that are missing or that config.json has elsewhere, a template that
    is missing or does not give Qwen's turns.
    """
    data = read_json(checkpoint.folder / "tokenizer.json")
    model, size = data["model"], checkpoint.text.integer("vocab_size")
    _check_kind(data)
    tokens = [f"[PAD{number}]" for number in range(size)]
    kinds = [TokenType.UNUSED] * size
    added = {item["id"]: item for item in data.get("added_tokens", ())}
    numbered = {number: token for token, number in model["vocab"].items()}
    numbered |= {number: item["content"] for number, item in added.items()}
    outside = sorted(number for number in numbered if not 0 <= number < size)
    if outside:
        raise broken(
            f"{len(outside)} tokens have numbers outside the vocabulary of {size}: "
            f"'{numbered[outside[0]]}' is {outside[0]}.",
            "Correct vocab_size, or give the tokenizer that belongs to the weights.",
        )
    for number, token in numbered.items():
        tokens[number] = token
        kinds[number] = _kind(added.get(number))
    _check_special(checkpoint, tokens, kinds)
    merges = [item if isinstance(item, str) else " ".join(item) for item in model["merges"]]
    return Vocabulary(tokens, kinds, merges, _template(checkpoint))


def _kind(added: Mapping[str, Any] | None) -> TokenType:
    if added is None:
        return TokenType.NORMAL
    return TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED


def _check_kind(data: Mapping[str, Any]) -> None:
    model = data["model"]
    if model.get("type") != "BPE" or not model.get("merges") or model.get("ignore_merges"):
        raise broken("The tokenizer is no BPE with merges.", "Use a tokenizer of the Qwen2 kind.")
    steps = data.get("pre_tokenizer") or {}
    steps = steps.get("pretokenizers", [steps])
    patterns = [step["pattern"].get("Regex") for step in steps if step.get("type") == "Split"]
    byte_level = [step for step in steps if step.get("type") == "ByteLevel"]
    plain = len(byte_level) == 1 and not byte_level[0].get("add_prefix_space")
    if patterns != [PATTERN] or not plain or byte_level[0].get("use_regex"):
        raise broken(
            "The tokenizer does not cut text as Qwen2 does, and llama.cpp would.",
            "Use the pre-tokenizer of Qwen2.",
        )


def _check_special(checkpoint: Checkpoint, tokens: list[str], kinds: list[TokenType]) -> None:
    number_of = {token: number for number, token in enumerate(tokens)}
    lacking = [
        token
        for token in SPECIAL
        if token not in number_of or kinds[number_of[token]] != TokenType.CONTROL
    ]
    if lacking:
        raise broken(
            f"The tokenizer does not have {', '.join(lacking)} as special tokens.",
            "Use a tokenizer of a Qwen vision model.",
        )
    for token, key in SPECIAL.items():
        given = checkpoint.config.get(key) if key else None
        if given is not None and given != number_of[token]:
            raise broken(
                f"config.json has {given} for '{key}', the tokenizer {number_of[token]}.",
                "Correct config.json.",
            )
    for key in ("bos_token_id", "eos_token_id", "pad_token_id", "video_token_id"):
        for section in (checkpoint.config, checkpoint.text.values):
            given = section.get(key)
            for number in given if isinstance(given, list) else [given]:
                if number is not None and not 0 <= number < len(tokens):
                    raise broken(
                        f"config.json has {number} for '{key}', outside the vocabulary of "
                        f"{len(tokens)}.",
                        "Correct config.json.",
                    )


def _template(checkpoint: Checkpoint) -> str:
    template = _stored_template(checkpoint)
    if not template:
        raise broken("The checkpoint has no chat template.", "Add chat_template.jinja.")
    parts = [{"type": "image"}, {"type": "text", "text": "Hello"}]
    wanted = f"<|im_start|>user\n{PICTURE}Hello{TURN_END}\n<|im_start|>assistant\n"
    try:
        text = render_template(template, [{"role": "user", "content": parts}])
    except TemplateError as error:
        raise broken(f"The chat template does not render: {error}.", "Mend the template.") from None
    if not text.endswith(wanted):
        raise broken(
            f"The chat template ends a prompt in {text[-60:]!r}.", "Use the template of Qwen2.5-VL."
        )
    return template


def _stored_template(checkpoint: Checkpoint) -> str:
    path = checkpoint.folder / "chat_template.jinja"
    if path.exists():
        return path.read_text(encoding="utf-8")
    for name in ("chat_template.json", "tokenizer_config.json"):
        if (checkpoint.folder / name).exists():
            template = read_json(checkpoint.folder / name).get("chat_template")
            if isinstance(template, str):
                return template
    return ""


def render_template(template: str, messages: list[dict[str, Any]]) -> str:
    """A conversation as text, up to where the assistant begins; set up as transformers does."""

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    return environment.from_string(template).render(messages=messages, add_generation_prompt=True)

"""A byte-level BPE tokenizer trained on the code the small model writes.

Two wishes shape its merges. Text read from the picture must fall into the same tokens in the hints
and in the answer, so that writing it is copying token by token: merges are learnt on text and on
code apart, never across their border, and a space joins a word only as the very last merge, for a
list of whole words. And llama.cpp must cut text exactly as we do: encoding uses the Qwen2
pre-tokenizer unchanged, only the training of the merges is stricter.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import regex
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TEMPLATE_FILE = Path(__file__).with_name("chat_template.jinja")

# Words of every prompt, wanted as single tokens however rare they are in the code itself.
PROMPT_WORDS = ("user", "assistant", "Write", "the", "HTML", "matplotlib", "code", "```")
PROMPT_WORD_COUNT = 100_000

_LETTERS = regex.compile(r"\p{L}+")
_TEXT_UNITS = regex.compile(r"\p{L}+|\p{N}|\s+|[^\s\p{L}\p{N}]")
_PRETOKENS = regex.compile(QWEN2_PATTERN)
# Where the texts are: between tags and in a few attributes of a page, in the strings of a script.
_TEXTS_OF = {
    "html": regex.compile(r"(?|>([^<>\n]+)<|(?:placeholder|value|alt|title)=\"([^\"]*))"),
    "chart": regex.compile(r"\"([^\"\n]*)\""),
}


def split_code(code: str, kind: str) -> Iterator[tuple[bool, str]]:
    """Yield (is_text, piece) for the code of a page (`kind` html) or a script (`chart`)."""
    end = 0
    for match in _TEXTS_OF[kind].finditer(code):
        if match.start(1) > end:
            yield False, code[end : match.start(1)]
        yield True, match.group(1)
        end = match.end(1)
    yield False, code[end:]


def _byte_level(text: str) -> str:
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(
        text
    )
    return "".join(piece for piece, _ in pieces)


def _count_units(samples: Iterable[tuple[str, str]]) -> tuple[Counter[str], Counter[str]]:
    """Count the units merges may grow in, and the words that follow a space in code."""
    units: Counter[str] = Counter()
    spaced: Counter[str] = Counter()
    for kind, code in samples:
        for is_text, piece in split_code(code, kind):
            if is_text:
                found = _TEXT_UNITS.findall(piece)
                units.update(u for u in found if not u.isspace())
                spaced.update(b for a, b in itertools.pairwise(found) if a == " ")
                continue
            for token in _PRETOKENS.findall(piece):
                word = _LETTERS.search(token)
                if word and token.startswith(" "):
                    units[word.group()] += 1
                    spaced[word.group()] += 1
                else:
                    units[token] += 1
    return units, spaced


def train_tokenizer(
    samples: Iterable[tuple[str, str]], vocab_size: int, *, spaced_words: int = 160
) -> PreTrainedTokenizerFast:
    """Train on (kind, code) pairs; kind is html or chart.

    The vocabulary has exactly `vocab_size` entries, special tokens included (they come last).
    """
    units, spaced = _count_units(samples)
    units.update(dict.fromkeys(PROMPT_WORDS, PROMPT_WORD_COUNT))
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL_TOKENS) - spaced_words,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
        min_frequency=3,
    )
    # The square root keeps the boilerplate, which every sample repeats, from taking all merges.
    ordered = sorted(units.items())
    learner.train_from_iterator(
        (unit for unit, count in ordered for _ in range(max(1, int(count**0.5)))), trainer
    )
    state = json.loads(learner.to_str())["model"]
    vocab: dict[str, int] = state["vocab"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in state["merges"]]
    space = _byte_level(" ")
    added = 0
    for word, _ in sorted(spaced.items(), key=lambda item: (-item[1], item[0])):
        token = _byte_level(word)
        if added == spaced_words:
            break
        if token in vocab and len(token) > 1 and space + token not in vocab:
            vocab[space + token] = len(vocab)
            merges.append((space, token))
            added += 1
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(t, normalized=False, special=True) for t in SPECIAL_TOKENS]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
        model_max_length=4096,
    )
    fast.chat_template = TEMPLATE_FILE.read_text()
    return fast

"""From logits to the next token, and the guard against endless repetition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.llama.library import llama

LOOP_TOKENS = 128
LOOP_COPIES = 4
LONGEST_PERIOD = 256


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. Temperature 0 takes the likeliest; 0 or 1 switch the cuts off."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    seed: int = 0


class Sampler:
    """A chain of llama.cpp's samplers. Free it with `close`."""

    def __init__(self, sampling: Sampling) -> None:
        self._chain: Any = llama.llama_sampler_chain_init(
            llama.llama_sampler_chain_default_params()
        )
        for link in _links(sampling):
            llama.llama_sampler_chain_add(self._chain, link)

    def draw(self, context: int, row: int = -1) -> int:
        """The token after the given row of the last batch (-1: its last)."""
        return int(llama.llama_sampler_sample(self._chain, context, row))

    def close(self) -> None:
        """Free the chain and its links."""
        chain, self._chain = self._chain, None
        if chain is not None:
            llama.llama_sampler_free(chain)


def _links(sampling: Sampling) -> list[Any]:
    if sampling.temperature <= 0:
        return [llama.llama_sampler_init_greedy()]
    links = []
    if sampling.top_k > 0:
        links.append(llama.llama_sampler_init_top_k(sampling.top_k))
    if 0 < sampling.top_p < 1:
        links.append(llama.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p > 0:
        links.append(llama.llama_sampler_init_min_p(sampling.min_p, 1))
    links.append(llama.llama_sampler_init_temp(sampling.temperature))
    links.append(llama.llama_sampler_init_dist(sampling.seed))
    return links


class LoopGuard:
    """Notices when the tail of an answer is the same few tokens again and again.

    Tables and data rows repeat too, so a loop is only what repeats with one period for
    LOOP_TOKENS tokens and LOOP_COPIES further copies. Costs LONGEST_PERIOD comparisons a token.
    """

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._runs = [0] * (LONGEST_PERIOD + 1)

    def repeats(self, token: int) -> bool:
        """Take the next token; whether the answer is now in a loop."""
        tokens, runs = self._tokens, self._runs
        tokens.append(token)
        last = len(tokens) - 1
        looping = False
        for period in range(1, min(last, LONGEST_PERIOD) + 1):
            if tokens[last - period] == token:
                runs[period] += 1
                if runs[period] >= max(LOOP_TOKENS, LOOP_COPIES * period):
                    looping = True
            else:
                runs[period] = 0
        return looping

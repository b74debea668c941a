"""From logits to the next token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.llama.grammar import NOTHING_FITS, Candidates, Grammar
from engine.llama.library import llama
from engine.llama.vocabulary import Vocabulary


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. Temperature 0 takes the likeliest; 0 or 1 switch the cuts off.

    `grammar` is that of the whole answer, as `engine.grammar` makes it; "" for none.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    seed: int = 0
    grammar: str = ""


class Sampler:
    """A chain of llama.cpp's samplers. Free it with `close`."""

    def __init__(self, sampling: Sampling, vocabulary: Vocabulary) -> None:
        """Raises VisCodexError(bad_input) for a grammar that cannot be used."""
        self._size = vocabulary.size
        self._grammar = Grammar(vocabulary, sampling.grammar) if sampling.grammar else None
        self._chain: Any = llama.llama_sampler_chain_init(
            llama.llama_sampler_chain_default_params()
        )
        for link in _links(sampling):
            llama.llama_sampler_chain_add(self._chain, link)

    def draw(self, context: int, row: int = -1) -> int:
        """The token after the given row of the last batch (-1: its last).

        NOTHING_FITS where the grammar leaves no token of this vocabulary.
        """
        if self._grammar is None:
            return int(llama.llama_sampler_sample(self._chain, context, row))
        return self._draw_within(self._grammar, context, row)

    def _draw_within(self, grammar: Grammar, context: int, row: int) -> int:
        """Draw freely, and again from what the grammar allows only where the token is refused.

        Holding the whole vocabulary against a grammar takes far longer than holding one token, so
        llama.cpp's own tools go the same way.
        """
        found = llama.llama_get_logits_ith(context, row)
        logits = np.ctypeslib.as_array(found, shape=(self._size,))
        candidates = Candidates(logits)
        candidates.apply(self._chain)
        token = candidates.selected
        if not grammar.allows(token):
            candidates = Candidates(logits)
            grammar.restrict(candidates)
            if candidates.empty:
                return NOTHING_FITS
            candidates.apply(self._chain)
            token = candidates.selected
        grammar.accept(token)
        llama.llama_sampler_accept(self._chain, token)
        return token

    def close(self) -> None:
        """Free the chain and its links."""
        if self._grammar is not None:
            self._grammar.close()
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

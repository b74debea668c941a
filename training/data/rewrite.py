"""An optional pass through an OpenAI-compatible server: new pages, cleaner code and questions.

Answers are kept by the hash of the request, so a build that goes on, or a second one, does not ask
again. Nothing depends on it: where the limit is reached, or an answer holds no code that draws,
the record stays as it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from engine.remote.chat import Delta, chat_body, data_url
from engine.remote.http import Patience, Wanted, ask
from engine.remote.server import Server
from engine.tasks import FENCE, TASKS
from training.data.draft import Draft, Dropped, Tools
from training.data.recipe import RewritePlan
from training.data.record import TASK_OF_KIND, Record

PASSING = (ErrorCode.server_busy, ErrorCode.server_failed, ErrorCode.timeout)
TRIES = 3
PAUSE = 2.0  # seconds before the second try, four times as many before the third
MAX_HEIGHT = 4096

_WORDS: Mapping[str, str] = {
    "new page": (
        "Design a new web page in the style of this picture: alike in layout, colours and print, "
        "with texts of its own about another subject. Plain HTML and CSS in one style block, no "
        "scripts, no external files. Answer with one fenced code block."
    ),
    "cleaner code": (
        "Rewrite this code so that it draws exactly the same, but reads well: clear names, no "
        "unused lines. Answer with one fenced code block.\n\n{code}"
    ),
    "cleaner question": (
        "Rewrite this question and its answer: correct and to the point, all code kept. Answer "
        "with the question, a line that holds only ---, and the answer.\n\n{prompt}\n---\n"
        "{completion}"
    ),
}


@dataclass(frozen=True)
class _Answer:
    text: str
    tokens: int


class Rewriter:
    """Asks one server, within the limits of a plan; `spent` is shared by all processes."""

    def __init__(
        self,
        plan: RewritePlan,
        cache: Path,
        key: str,
        spent: tuple[Synchronized[int], Synchronized[int]],
    ) -> None:
        self._plan, self._cache, self._spent = plan, cache, spent
        self._server = Server.at(plan.server, key)
        cache.mkdir(parents=True, exist_ok=True)

    def rewrite(self, draft: Draft, tools: Tools) -> Iterator[Draft]:
        """The draft, and what the server made of it. Raises VisCodexError where the server refuses
        or stays away: the build stops, and goes on there the next time."""
        task = self._plan.kinds.get(draft.record.kind)
        chosen = random.Random(f"rewrite {draft.record.id}").random() < self._plan.share
        if task is None or not chosen or (task == "new page" and not draft.pictures):
            yield draft
            return
        answer = self._answer(self._body(draft, task), tools)
        made = None if answer is None else self._made(draft, task, answer.text, tools)
        if made is None or self._plan.keep:
            yield draft
        if made is not None:
            tools.counts["rewritten"] += 1
            yield made

    def _body(self, draft: Draft, task: str) -> dict[str, Any]:
        record = draft.record
        text = _WORDS[task].format_map(
            {"code": record.code, "prompt": record.prompt, "completion": record.completion}
        )
        picture = data_url(draft.pictures[0].image) if draft.pictures else ""
        seed = int(hashlib.sha256(record.id.encode()).hexdigest()[:8], 16)
        body = chat_body(
            self._plan.model,
            "",
            picture,
            text,
            seed=seed,
            temperature=self._plan.temperature,
            max_tokens=self._plan.max_tokens,
        )
        if not picture:
            body["messages"][-1]["content"] = text
        return body

    def _answer(self, body: dict[str, Any], tools: Tools) -> _Answer | None:
        """From the cache or the server; None where the limit is reached."""
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        path = self._cache / f"{digest}.json"
        if path.exists():
            tools.counts["rewriting from the cache"] += 1
            return _Answer(**json.loads(path.read_text(encoding="utf-8")))
        if not self._reserve():
            tools.counts["rewriting over the limit"] += 1
            return None
        answer = self._ask(body)
        with self._spent[1].get_lock():
            self._spent[1].value += answer.tokens
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(vars(answer), ensure_ascii=False), encoding="utf-8")
        os.replace(part, path)
        return answer

    def _reserve(self) -> bool:
        requests, tokens = self._spent
        if self._plan.tokens is not None and tokens.value >= self._plan.tokens:
            return False
        with requests.get_lock():
            if requests.value >= self._plan.requests:
                return False
            requests.value += 1
        return True

    def _ask(self, body: dict[str, Any]) -> _Answer:
        for number in range(TRIES):
            try:
                return asyncio.run(self._exchange(body))
            except VisCodexError as error:
                if error.code not in PASSING or number == TRIES - 1:
                    raise
                asyncio.run(asyncio.sleep(PAUSE * 4**number))
        raise AssertionError("unreachable")  # pragma: no cover

    async def _exchange(self, body: dict[str, Any]) -> _Answer:
        texts: list[str] = []
        tokens = 0

        def take(delta: Delta) -> Wanted:
            nonlocal tokens
            texts.append(delta.text)
            tokens = (delta.tokens or 0) + (delta.prompt_tokens or 0) or tokens
            return Wanted.all

        await ask(self._server, body, Patience(), lambda: None, take)
        return _Answer("".join(texts), tokens)

    def _made(self, draft: Draft, task: str, answer: str, tools: Tools) -> Draft | None:
        record = replace(
            draft.record,
            id=f"{draft.record.id}-r",
            origin=f"{draft.record.origin} (rewritten by {self._plan.model})",
        )
        try:
            if task == "cleaner question":
                return _question(record, draft, answer)
            return _drawn(record, draft, answer, tools)
        except VisCodexError:
            tools.counts["rewriting holds no code"] += 1
        except Dropped as reason:
            tools.counts[f"rewriting {reason}"] += 1
        return None


def _question(record: Record, draft: Draft, answer: str) -> Draft:
    question, line, reply = answer.partition("\n---\n")
    if not line or not question.strip() or FENCE not in reply:
        raise Dropped("is no question and answer with code")
    record = replace(record, prompt=question.strip(), completion=reply.strip())
    return Draft(record, draft.pictures)


def _drawn(record: Record, draft: Draft, answer: str, tools: Tools) -> Draft:
    """A page or a chart of its own: what it draws is the picture, whatever the old one was."""
    task = TASKS[TASK_OF_KIND[record.kind]]
    code = task.extract(answer)
    if record.kind == "html":
        width = draft.pictures[0].image.width if draft.pictures else 1280
        picture, texts = tools.draw_page(code, width, MAX_HEIGHT)
    else:
        picture, texts = tools.draw_chart(code)
    completion = f"{task.prefill}{code}{FENCE}"
    return Draft(replace(record, completion=completion), [picture], texts)


def spent_so_far(cache: Path) -> tuple[int, int]:
    """Requests and tokens that the answers in a cache took."""
    files = list(cache.glob("*.json")) if cache.is_dir() else []
    tokens = sum(int(json.loads(path.read_text(encoding="utf-8"))["tokens"]) for path in files)
    return len(files), tokens

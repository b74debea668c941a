"""A model's own chat template, turned into the layout of our prompts.

The template is rendered once with words nobody can guess in place of the system text and the
instruction, and cut at them: what users and pictures say is never in its output, so it never meets
the parsing of special tokens. Templates come from files of strangers: they run in jinja2's
sandbox, with bounds on size and time; what gets past those ends the engine's process, not the
application.
"""

from __future__ import annotations

import ctypes
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.models.families import Projector
from engine.prompt import CHATML, Layout

MAX_TEMPLATE = 200_000  # characters
MAX_OUTPUT = 100_000
SECONDS = 5.0
CLOSED_THOUGHT = "\n</think>\n\n"


class TemplateUnusable(Exception):
    """Why a template cannot be used, in a few words."""


@dataclass(frozen=True)
class Tokens:
    """Texts of the tokens that begin and end a text; `starts`: prompts begin with the first."""

    bos: str = ""
    eos: str = ""
    starts: bool = False


@dataclass(frozen=True)
class _Words:
    """What stands for the parts of a prompt while a template is rendered."""

    system: str
    picture: str
    data: str

    @classmethod
    def new(cls) -> _Words:
        return cls(*(f"{name}{secrets.token_hex(12)}" for name in ("system", "picture", "data")))


def layout_of(template: str, projector: Projector, tokens: Tokens) -> tuple[Layout, str]:
    """The layout that a template asks for, and a remark: "" or why it is the built-in one."""
    try:
        layout, remark = _from_template(template, projector, tokens), ""
    except TemplateUnusable as error:
        layout, remark = CHATML, f"prompts are ChatML: {error}"
    if tokens.starts and tokens.bos:
        layout = replace(
            layout,
            plain=_begun(layout.plain, tokens.bos),
            system=(_begun(layout.system[0], tokens.bos), layout.system[1]),
        )
    return layout, remark


def _begun(text: str, bos: str) -> str:
    return text if text.startswith(bos) else bos + text


def _from_template(source: str, projector: Projector, tokens: Tokens) -> Layout:
    if not source.strip():
        raise TemplateUnusable("the file has no chat template")
    if len(source) > MAX_TEMPLATE:
        raise TemplateUnusable(f"the file's chat template has {len(source)} characters")
    return _in_time(lambda: _laid_out(source, projector, tokens))


def _laid_out(source: str, projector: Projector, tokens: Tokens) -> Layout:
    try:
        template = _environment().from_string(source)
    except (TemplateError, RecursionError) as error:
        raise _failed(error) from error

    def render(messages: Sequence[dict[str, Any]]) -> str:
        try:
            return _bounded(
                template.generate(
                    messages=messages,
                    add_generation_prompt=True,
                    enable_thinking=False,
                    thinking=False,
                    bos_token=tokens.bos,
                    eos_token=tokens.eos,
                    raise_exception=_raise,
                    strftime_now=lambda form: datetime.now().strftime(form),
                    tools=None,
                    documents=None,
                )
            )
        except TemplateUnusable:
            raise
        except Exception as error:  # a template fails in any way that Python can
            raise _failed(error) from error

    words = _Words.new()
    plain, between, answer = _first(_turns(words, ""), render, words, projector)
    told, told_between, told_answer = _first(_turns(words, words.system), render, words, projector)
    if (told_between, told_answer) != (between, answer):
        raise TemplateUnusable("the file's chat template ends otherwise after a system text")
    before, _, after = told.partition(words.system)
    # Qwen's templates bring a system text of their own. Who wants none gets none.
    if plain.endswith(CHATML.plain) and answer.startswith(CHATML.answer):
        plain = (tokens.bos if plain.startswith(tokens.bos) else "") + CHATML.plain
    if answer.rfind("<think>") > answer.rfind("</think>"):
        answer = answer.rstrip("\n") + "\n" + CLOSED_THOUGHT
    return Layout(plain, (before, after), between, answer)


Render = Callable[[Sequence[dict[str, Any]]], str]
Cut = tuple[str, str, str]


def _turns(words: _Words, system: str) -> Iterator[list[dict[str, Any]]]:
    """Conversations to try: with the picture as the template writes it, or as our word, and with
    the system text as a turn or, where there is no such role, before the picture."""
    text = {"type": "text", "text": words.data}
    contents: list[Any] = [
        [{"type": "image"}, text],
        [{"type": "text", "text": words.picture}, text],
        words.picture + words.data,
    ]
    for content in contents:
        user = {"role": "user", "content": content}
        if not system:
            yield [user]
            continue
        typed = isinstance(content, list)
        turn = [{"type": "text", "text": system}] if typed else system
        yield [{"role": "system", "content": system}, user]
        yield [{"role": "system", "content": turn}, user]
        first = f"{system}\n\n"
        whole = [{"type": "text", "text": first}, *content] if typed else first + content
        yield [{"role": "user", "content": whole}]


def _first(
    conversations: Iterator[list[dict[str, Any]]],
    render: Render,
    words: _Words,
    projector: Projector,
) -> Cut:
    """The first conversation that is rendered with everything in its place."""
    problem: TemplateUnusable | None = None
    for messages in conversations:
        try:
            return _cut(render(messages), words, projector, bool(words.system in str(messages)))
        except TemplateUnusable as error:
            problem = problem or error
    assert problem is not None
    raise problem


def _cut(text: str, words: _Words, projector: Projector, told: bool) -> Cut:
    """Before the picture, behind it, behind the data; without what mtmd writes by itself."""
    head, found, answer = text.partition(words.data)
    mark = words.picture if words.picture in head else projector.token
    before, seen, between = head.partition(mark)
    if projector.before:
        before = before.removesuffix(projector.before)
    if projector.after:
        between = between.removeprefix(projector.after)
    wrong = (
        not found
        or not seen
        or any(word in answer for word in (words.data, words.picture, words.system))
        or between.strip()
        or before.count(words.system) != told
        or re.search(r"""['"](?:content|text)['"]:\s*['"]$""", before)  # messages as they are
    )
    if wrong:
        raise TemplateUnusable("the file's chat template has no place for a picture")
    return before, between, answer


# Running a stranger's template ------------------------------------------------------------------


class _Generation(Extension):
    """{% generation %} marks what is trained on; here it is only walked through."""

    tags = {"generation"}  # noqa: RUF012 (the base class says it so)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, which also refuses the quickest ways to fill the memory."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        sizes = [len(v) if hasattr(v, "__len__") else v for v in (left, right)]
        if all(isinstance(size, int | float) for size in sizes):
            large = sizes[0] * sizes[1] > MAX_OUTPUT if operator == "*" else max(sizes) > 64
            if large:
                raise SecurityError("too large a product")
        return super().call_binop(context, operator, left, right)


def _environment() -> _Environment:
    """As transformers sets it up, which is what templates are written for."""
    environment = _Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = partial(json.dumps, ensure_ascii=False)
    return environment


def _raise(message: object) -> None:
    raise TemplateError(str(message))


def _failed(error: BaseException) -> TemplateUnusable:
    return TemplateUnusable(f"the file's chat template cannot be rendered ({type(error).__name__})")


def _bounded(pieces: Iterator[str]) -> str:
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > MAX_OUTPUT:
            raise TemplateUnusable("the file's chat template does not end")
    return text


def _in_time(work: Callable[[], Layout]) -> Layout:
    """Do it on a thread that is stopped when it takes too long."""
    done: list[Layout | TemplateUnusable] = []

    def run() -> None:
        try:
            done.append(work())
        except TemplateUnusable as error:
            done.append(error)
        except SystemExit:  # the stop below
            pass

    thread = threading.Thread(target=run, name="template", daemon=True)
    thread.start()
    thread.join(SECONDS)
    if not done:
        # It runs Python code all the time, which this ends at its next instruction.
        stop = ctypes.py_object(SystemExit)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), stop)
        raise TemplateUnusable("the file's chat template does not end")
    if isinstance(done[0], TemplateUnusable):
        raise done[0]
    return done[0]

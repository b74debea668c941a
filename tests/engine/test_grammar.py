"""Grammars: what is put around them, and answers of real models that keep to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.cancel import CancelFlag
from engine.client import EngineClient
from engine.errors import ErrorCode, VisCodexError
from engine.grammar import LONGEST, fenced
from engine.llama.library import llama
from engine.llama.sampling import Sampler, Sampling
from engine.llama.session import SessionOptions, VisionSession
from engine.llama.vision import picture_key
from engine.models.store import find_model
from engine.prompt import build_prompt
from engine.protocol import (
    ConvertRequest,
    Done,
    Encoding,
    Error,
    Event,
    Loading,
    Ready,
    Token,
    decode_request,
    encode,
)
from engine.tasks import TASKS
from engine.writing import write
from tests.engine.scripted_model import Script, build, chain
from tests.fixtures.chat_server import ChatServer, stream
from tests.fixtures.remote import ask, done, error, text_of

SMALL = 'root ::= "<main>" word (" " word)? "</main>"\nword ::= [a-z]{2,6}'
KEEPS = re.compile(r"<main>[a-z]{2,6}( [a-z]{2,6})?</main>")


def test_rules_are_renamed_and_nothing_else() -> None:
    grammar = 'root ::= "root" [root] other # root\nother ::= root-x <root> | root'
    assert fenced(grammar).splitlines() == [
        'root ::= code ("\\n```")?',
        'code ::= "root" [root] other # root',
        "other ::= root-x <root> | code",
    ]
    assert fenced("root ::= code\ncode ::= [a]").startswith("root ::= code-x (")
    assert fenced(SMALL, ["```html\n", "```python\n"]).startswith(
        'root ::= ("```html\\n" | "```python\\n") code ("\\n```")?\n'
    )


@pytest.mark.parametrize(
    "grammar", ["", "page ::= [a]", "# root ::= x", "root", "x" * (LONGEST + 1)]
)
def test_what_is_no_grammar(grammar: str) -> None:
    with pytest.raises(VisCodexError) as caught:
        fenced(grammar)
    assert caught.value.code is ErrorCode.bad_input
    assert len(caught.value.message) < 100


def test_a_grammar_travels_to_the_worker() -> None:
    request = ConvertRequest(b"x", grammar=SMALL)
    assert decode_request(encode(request, 3))[1] == request
    with pytest.raises(VisCodexError):
        ConvertRequest(b"x", target="text", grammar=SMALL)


# The bundled model --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client() -> Iterator[EngineClient]:
    with EngineClient(find_model()) as made:
        yield made


def codes(events: list[Event], target: str = "html") -> list[str]:
    assert isinstance(events[-1], Done), events[-1]
    answers: dict[int, str] = {}
    for event in events:
        if isinstance(event, Token):
            answers[event.candidate] = answers.get(event.candidate, "") + event.text
    return [TASKS[target].extract(answer).rstrip("\n") for _, answer in sorted(answers.items())]


def test_every_candidate_of_the_bundled_model_keeps_to_it(
    client: EngineClient, samples: Path
) -> None:
    request = ConvertRequest(
        samples / "login.png", "html", hints="never", grammar=SMALL, candidates=4, max_tokens=60
    )
    found = codes(list(client.convert(request)))
    assert len(found) == 4
    assert all(KEEPS.fullmatch(code) for code in found), found
    # Without it the same model writes something else.
    free = codes(list(client.convert(ConvertRequest(request.image, "html", "never", 60))))
    assert not KEEPS.fullmatch(free[0])


def test_where_the_grammar_allows_it_the_answer_is_the_free_one(
    client: EngineClient, samples: Path
) -> None:
    wide = 'root ::= line+\nline ::= [^`\\n]* "\\n"?'
    request = ConvertRequest(samples / "login.png", "html", "never", 300)
    free, kept = (
        list(client.convert(one))
        for one in (request, ConvertRequest(request.image, "html", "never", 300, grammar=wide))
    )
    assert codes(free) == codes(kept)
    assert free[-1].reason == kept[-1].reason  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("grammar", "says"),
    [
        ("root ::= root [a]", "begins with itself"),
        ('root ::= "a', "does not parse"),
        ("root ::= missing", "does not parse"),
        ("page ::= [a]", "no rule named root"),
    ],
)
def test_a_broken_one_is_told_before_anything_is_computed(
    grammar: str, says: str, client: EngineClient, samples: Path
) -> None:
    events = list(client.convert(ConvertRequest(samples / "login.png", grammar=grammar)))
    assert isinstance(events[-1], Error)
    assert events[-1].code is ErrorCode.bad_input
    assert says in events[-1].message and "\n" not in events[-1].message
    assert not any(isinstance(event, Encoding) for event in events)
    assert {type(event) for event in events[:-1]} <= {Loading, Ready}


# Scripted ----------------------------------------------------------------------------------------


@pytest.fixture
def session(tmp_path: Path) -> Iterator[VisionSession]:
    words = [f"w{index} " for index in range(8)]
    files = build(tmp_path / "model", chain(*words, "<|im_end|>"))
    options = SessionOptions(context=512, limits=files.card.image)
    made = VisionSession(files.model, files.mmproj, options, CancelFlag.private(), lambda _: None)
    yield made
    made.close()


def written(
    session: VisionSession, sampling: Sampling, old: str | None = None
) -> tuple[str, str, int]:
    """Text, reason, passes."""
    image = Image.new("RGB", (112, 84), "white")
    with session.tokenize(build_prompt("", "go", "```html\n"), image, picture_key(image)) as chunks:
        session.prefill(chunks, lambda _: None)
    texts: list[str] = []
    passes: list[int] = []
    answers = write(
        session,
        [sampling],
        "```html\n",
        60,
        old=None if old is None else session.vocabulary.tokenize(old, special=False),
        on_text=lambda _, text: texts.append(text),
        on_step=lambda: passes.append(1),
        on_end=lambda *_: None,
    )
    return "".join(texts), answers[0].reason, len(passes)


def test_a_refused_token_gives_way_to_the_likeliest_that_is_allowed(session: VisionSession) -> None:
    sampling = Sampling(grammar=fenced('root ::= "w0 w1 w5 " "w6 "'))
    text, reason, _ = written(session, sampling)
    assert text == "w0 w1 w5 w6 "
    assert reason == "stop"


def test_an_answer_that_cannot_go_on_ends(session: VisionSession) -> None:
    # No token of this vocabulary holds what comes after it, nor its bytes one by one: a token.
    sampling = Sampling(grammar=fenced('root ::= "w0 " <[100000]>'))
    text, reason, _ = written(session, sampling)
    assert (text, reason) == ("w0 ", "grammar")


def test_guesses_are_held_against_it_too(session: VisionSession) -> None:
    grammar = fenced('root ::= "w0 w1 w2 w3 w4 w6 w7 "')
    guess = "w0 w1 w2 w3 w4 w5 w6 w7 "
    plain = written(session, Sampling(grammar=grammar))
    guessed = written(session, Sampling(grammar=grammar), old=guess)
    assert guessed[:2] == plain[:2] == ("w0 w1 w2 w3 w4 w6 w7 ", "stop")
    assert guessed[2] < plain[2]


# Card settings -----------------------------------------------------------------------------------


def links(sampling: Sampling, session: VisionSession) -> list[str]:
    sampler = Sampler(sampling, session.vocabulary)
    chain_ = sampler._chain
    names = [
        llama.llama_sampler_name(llama.llama_sampler_chain_get(chain_, index)).decode().lstrip("?")
        for index in range(llama.llama_sampler_chain_n(chain_))
    ]
    sampler.close()
    return names


def test_cuts_of_the_card_reach_the_chain(session: VisionSession) -> None:
    all_of_them = Sampling(temperature=1.0, top_k=3, top_p=0.5, min_p=0.2)
    assert links(all_of_them, session) == ["top-k", "top-p", "min-p", "temp", "dist"]
    off = Sampling(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)
    assert links(off, session) == ["temp", "dist"]


@pytest.mark.parametrize("cut", [{"top_k": 1}, {"top_p": 0.01}, {"min_p": 0.99}])
def test_each_cut_alone_tames_a_hot_model(cut: dict[str, Any], tmp_path: Path) -> None:
    words = [f"w{index} " for index in range(40)]
    near = {word: 1.0 - 0.05 * index for index, word in enumerate(words)}
    script = Script(words, {"\n": near, **dict.fromkeys(words, near)})
    open_ = {"temperature": 3.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}

    def answers(sampling: dict[str, float], folder: str) -> set[str]:
        files = build(tmp_path / folder, script, sampling=sampling)
        with EngineClient(files) as client:
            image = Image.new("RGB", (112, 84))
            image.save(tmp_path / "seen.png")
            return {
                "".join(
                    event.text
                    for event in client.convert(
                        ConvertRequest(tmp_path / "seen.png", "html", "never", 12, seed)
                    )
                    if isinstance(event, Token)
                )
                for seed in range(3)
            }

    assert answers(open_ | cut, "cut") == {"```html\n" + "w0 " * 12}
    assert len(answers(open_, "open")) == 3


# Servers -----------------------------------------------------------------------------------------

PAGE = "```html\n<main>hello</main>\n```"


def test_a_llama_server_gets_the_grammar_of_the_whole_answer() -> None:
    events, server = ask(stream(PAGE), owner="llamacpp", grammar=SMALL)
    assert text_of(events) == PAGE
    assert done(events).reason == "fence"
    assert server.chats[0].json["grammar"] == fenced(SMALL, ["```html\n"])


@pytest.mark.parametrize("owner", ["", "vllm", "library"])
def test_other_servers_are_not_asked(owner: str) -> None:
    events, server = ask(stream(PAGE), owner=owner, grammar=SMALL)
    assert error(events).code is ErrorCode.bad_input
    assert "takes no grammar" in error(events).message
    assert not server.chats


def test_without_a_grammar_nothing_of_it_is_sent() -> None:
    _, server = ask(stream(PAGE))
    assert "grammar" not in server.chats[0].json
    assert isinstance(server, ChatServer)

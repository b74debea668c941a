"""Questions from a dump, tasks with tests, and the pass through a server."""

from __future__ import annotations

import bz2
import gzip
import json
import multiprocessing
from xml.sax.saxutils import quoteattr

import pytest

from engine.errors import VisCodexError
from tests.fixtures.chat_server import ChatServer, stream, whole
from tests.fixtures.mcd import SAMPLES, write_mcd
from tests.fixtures.sources import run
from training.data.build import build
from training.data.draft import Draft
from training.data.recipe import DataRecipe, RewritePlan
from training.data.record import read_records
from training.data.rewrite import Rewriter, spent_so_far
from training.data.sources.qa import to_markdown
from training.data.sources.rows import fenced
from training.recipe import check_recipe

QUESTION = (
    '<p>My <b>plot</b> is empty:</p><p><img src="https://i.stack.imgur.com/abc.png" alt="x"></p>'
)
ANSWER = "<p>Call <code>show</code>:</p><pre><code>plt.plot([1, 2])\nplt.show()\n</code></pre>"


def post(**values):
    return "  <row " + " ".join(f"{name}={quoteattr(str(v))}" for name, v in values.items()) + " />"


def dump(folder):
    rows = []

    def pair(number, score=5, tags="<python><matplotlib>", body=QUESTION, answer=ANSWER, got=3):
        rows.append(
            post(Id=number, PostTypeId=1, AcceptedAnswerId=number + 500, Score=score, Tags=tags,
                 Title=f"Question {number} & more", Body=body)
        )  # fmt: skip
        rows.append(post(Id=number + 500, PostTypeId=2, ParentId=number, Score=got, Body=answer))

    pair(1)
    pair(2, score=-1)
    pair(3, tags="|haskell|")
    pair(4, tags="|html|css|")
    pair(5, answer="<p>No code.</p>")
    pair(6, body="<p>No picture.</p>")
    pair(7, body=QUESTION.replace("abc.png", "lost.png"))
    pair(8, got=0)
    rows.append(post(Id=900, PostTypeId=1, Score=9, Tags="<python>", Title="Open", Body=QUESTION))
    text = '<?xml version="1.0" encoding="utf-8"?>\n<posts>\n' + "\n".join(rows) + "\n</posts>\n"
    (folder / "Posts.xml").write_text(text, "utf-8")
    (folder / "images").mkdir()
    (folder / "images" / "abc.png").write_bytes((SAMPLES / "chart.png").read_bytes())
    return text


@pytest.mark.parametrize("packed", ["", ".bz2", ".gz"])
def test_a_dump_gives_questions_with_pictures(tmp_path, tools, packed):
    text = dump(tmp_path)
    path = tmp_path / f"Posts.xml{packed}"
    opener = {"": open, ".bz2": bz2.open, ".gz": gzip.open}[packed]
    with opener(path, "wb") as file:
        file.write(text.encode())
    drafts, reasons = run(tools, type="qa", posts=str(path), images=str(tmp_path / "images"))
    assert [d.record.origin for d in drafts] == [
        "https://stackoverflow.com/q/1",
        "https://stackoverflow.com/q/4",
    ]
    assert sorted(reasons) == ["answer without code", "no picture"]
    first = drafts[0].record
    assert first.prompt == "Question 1 & more\n\nMy **plot** is empty:"
    assert first.completion == "Call `show`:\n\n```python\nplt.plot([1, 2])\nplt.show()\n```"
    assert first.license == "CC-BY-SA-4.0"
    assert drafts[1].record.completion.count("```html") == 1
    assert drafts[0].pictures[0].data == (SAMPLES / "chart.png").read_bytes()


def test_dumps_that_cannot_be_read_are_told(tmp_path, tools):
    (tmp_path / "Posts.7z").write_bytes(b"7z")
    with pytest.raises(VisCodexError) as caught:
        run(tools, type="qa", posts=str(tmp_path / "Posts.7z"))
    assert "7z x" in caught.value.advice
    (tmp_path / "Posts.xml").write_text("<posts><row Id='1'")
    with pytest.raises(VisCodexError, match="broken"):
        run(tools, type="qa", posts=str(tmp_path / "Posts.xml"))


def test_code_in_posts_is_kept_as_it_is():
    code = "<pre><code>if a &lt; b:\n    x = '&amp;'\n</code></pre>"
    assert (
        to_markdown(f"<ul><li>a &lt; b</li><li>c</li></ul>{code}")[0]
        == "- a < b\n- c\n\n```\nif a < b:\n    x = '&'\n```"
    )
    assert fenced("x = 1", "algorithm").startswith("```")


TEST = "from solution import f\n\ndef test_a():\n    assert f([1, 2]) == [2, 1]\n"


def kodcode(name, solution, test=TEST):
    return {"question_id": name, "question": "Reverse it.", "solution": solution, "test": test}


def taco(question, *solutions, **told):
    packed = {"solutions": json.dumps(solutions), "input_output": json.dumps(told)}
    return {"question": question, **packed}


KODCODE = [
    kodcode("k1", "def f(x):\n    return x[::-1]"),
    kodcode("k2", "def f(x):\n    return x"),
    kodcode("k3", "import sys\nsys.exit(0)"),
    kodcode("k4", "def f(x):\n    open('/etc/passwd').read()\n    return x[::-1]"),
    kodcode("k5", "x = 1", "y = 2"),
]
ADD = "a, b = map(int, input().split())\nprint(a + b)"
DOUBLE = "class Solution:\n    def double(self, x):\n        return 2 * x"
TACO = [
    taco("Add two.", "print(0)", ADD, inputs=["1 2\n", "5 5\n"], outputs=["3\n", "10\n"]),
    taco("Double it.", DOUBLE, fn_name="double", inputs=[[2], [4]], outputs=[[4], [8]]),
    taco("Never ends.", "while True: pass", inputs=["1"], outputs=["1"]),
    taco("No tests.", inputs=[], outputs=[]),
]


@pytest.mark.parametrize(
    ("rows", "good", "bad"),
    [
        (KODCODE, ["k1"], ["solution fails its tests"] * 4),
        (TACO, ["0", "1"], ["no tests", "solution fails its tests"]),
    ],
)
def test_solutions_must_pass_their_tests(tmp_path, tools, rows, good, bad):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    drafts, reasons = run(
        tools, type="algorithm", rows=str(path), license="CC-BY-NC-4.0", timeout=4
    )
    assert [d.record.origin.partition("#")[2] for d in drafts] == good
    assert sorted(reasons) == bad
    assert all(d.record.completion.startswith("```python\n") for d in drafts)
    assert "print(0)" not in drafts[0].record.completion


PAGE = "Here it is:\n```html\n<!DOCTYPE html>\n<h1>Another shop</h1><p>With other words.</p>\n```"


def rewriter(folder, server, **plan):
    values = multiprocessing.get_context("spawn").Value
    spent = [values("q", number) for number in spent_so_far(folder)]
    return Rewriter(
        RewritePlan(server=server.url, model="see-7b", **plan), folder, "", tuple(spent)
    )


@pytest.fixture
def draft(tmp_path, tools):
    rows, images = write_mcd(tmp_path / "mcd")
    drafts, _ = run(tools, type="mcd", rows=str(rows), images=str(images))
    return drafts[0]


def test_a_new_page_is_drawn_and_kept_beside_the_old(tmp_path, tools, draft):
    cache = tmp_path / "cache"
    with ChatServer([stream(PAGE[:40], PAGE[40:], tokens=50)]) as server:
        old, new = rewriter(cache, server).rewrite(draft, tools)
        again = list(rewriter(cache, server).rewrite(draft, tools))
        asked = server.chats
    assert old is draft and new.record.id == f"{draft.record.id}-r"
    assert new.record.group == draft.record.group and "see-7b" in new.record.origin
    assert "Another shop" in new.record.code and new.pictures[0].data != old.pictures[0].data
    assert new.lines[0].text == "Another shop"
    assert len(asked) == 1 and again[1].record == new.record  # the second time from the cache
    content = asked[0].json["messages"][0]["content"]
    assert (
        content[0]["image_url"]["url"].startswith("data:image/png")
        and "style" in content[1]["text"]
    )
    assert spent_so_far(cache) == (1, 371)


@pytest.mark.parametrize(
    "answer", ["I cannot do that.", "```html\n" + "<p style='height:9000px'>x</p>\n```"]
)
def test_an_answer_that_draws_nothing_leaves_the_record(tmp_path, tools, draft, answer):
    with ChatServer([stream(answer)]) as server:
        assert list(rewriter(tmp_path / "c", server, keep=False).rewrite(draft, tools)) == [draft]


def test_the_limit_holds_over_runs(tmp_path, tools, draft):
    cache = tmp_path / "c"
    other = Draft(draft.record.with_images(()), draft.pictures)
    other.changed(id="mcd/other")
    with ChatServer([stream(PAGE, tokens=50)]) as server:
        assert len(list(rewriter(cache, server, requests=1).rewrite(draft, tools))) == 2
        assert len(list(rewriter(cache, server, requests=1).rewrite(other, tools))) == 1
        assert len(list(rewriter(cache, server, tokens=100).rewrite(other, tools))) == 1
        assert len(list(rewriter(cache, server, requests=2).rewrite(other, tools))) == 2
        assert len(server.chats) == 2


def test_a_busy_server_is_asked_again_and_a_closed_one_stops(tmp_path, tools, draft, monkeypatch):
    monkeypatch.setattr("training.data.rewrite.PAUSE", 0.01)
    with ChatServer([whole(503, {"error": "busy"}), stream(PAGE)]) as server:
        assert len(list(rewriter(tmp_path / "c", server).rewrite(draft, tools))) == 2
    with ChatServer([whole(401, {"error": "no key"})]) as server, pytest.raises(VisCodexError):
        list(rewriter(tmp_path / "d", server).rewrite(draft, tools))
    assert not list((tmp_path / "d").glob("*"))


def test_a_question_is_cleaned(tmp_path, tools, draft):
    draft.changed(kind="qa", id="qa/1", prompt="pls help", completion="```python\nx\n```")
    text = "How do I show it?\n---\nSo:\n```python\nx\n```"
    with ChatServer([stream(text)]) as server:
        _, new = rewriter(tmp_path / "c", server).rewrite(draft, tools)
    assert new.record.prompt == "How do I show it?" and new.record.completion.startswith("So:")
    assert new.pictures == draft.pictures


def test_a_build_goes_through_the_server(tmp_path):
    rows, images = write_mcd(tmp_path / "mcd")
    with ChatServer([stream(PAGE, tokens=9)]) as server:
        plan = {
            "name": "x",
            "sources": [{"type": "mcd", "rows": str(rows), "images": str(images)}],
            "filters": {"tokens": [4, 9000], "alike": None, "pictures_alike": False},
            "rewrite": {"server": server.url, "model": "see-7b", "kinds": {"html": "new page"}},
        }
        recipe = check_recipe(plan, DataRecipe)
        report = build(recipe, tmp_path / "set", workers=1).report
        asked = len(server.chats)
    assert report["sources"]["mcd"]["rewritten"] == 2 and asked == 2
    ids = {record.id for record in read_records(tmp_path / "set")}
    assert {"mcd/0", "mcd/0-r", "mcd/1", "mcd/1-r"} <= ids

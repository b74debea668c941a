"""Pages drawn by the real QtWebEngine process: size, description, isolation, recovery."""

from __future__ import annotations

import io
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from engine.errors import ErrorCode, VisCodexError
from engine.render.html import MAX_HTML_BYTES, HtmlRenderer

PAGE = """<!DOCTYPE html>
<html><head><style>
* {{ margin: 0; box-sizing: border-box; }}
body {{ padding: 20px; background: #ffe; font: 16px/1.5 sans-serif; }}
.card {{ height: {high}px; background: #25e; border-radius: 8px; color: #fff; padding: 10px; }}
</style></head><body><div class="card">Hello there</div>
<input placeholder="Your name"><p>Below</p></body></html>"""


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), int)


def test_a_page_is_as_wide_as_asked_and_as_high_as_its_content(renderer):
    low = renderer.render(PAGE.format(high=60), 320)
    high = renderer.render(PAGE.format(high=260), 320)
    assert (low.width, high.width) == (320, 320)
    assert high.height - low.height == 200
    assert renderer.render(PAGE.format(high=2000), 320, max_height=500).height == 500
    fixed = renderer.render(PAGE.format(high=60), 300, 444)
    assert (fixed.width, fixed.height) == (300, 444)


def test_colours_come_out_exactly(renderer):
    pixels = _pixels(renderer.render(PAGE.format(high=60), 320).png)
    assert tuple(pixels[2, 2]) == (255, 255, 238)
    assert tuple(pixels[70, 160]) == (34, 85, 238)


def test_pages_drawn_one_after_the_other_do_not_mix(renderer):
    for number in range(12):
        colour = (20 * number, 255 - 20 * number, 7)
        page = f"<body style='margin:0;height:{40 + number}px;background:rgb{colour}'></body>"
        drawn = renderer.render(page, 200 + number)
        pixels = _pixels(drawn.png)
        assert pixels.shape == (40 + number, 200 + number, 3)
        assert (pixels == colour).all()


def test_a_page_higher_than_its_frame_has_all_of_its_width(renderer):
    page = "<body style='margin:0;background:#0f0'>" + "<p>x</p>" * 60
    assert renderer.probe(page, 300, 200, "'' + document.documentElement.clientWidth") == "300"
    for height in (200, None):
        pixels = _pixels(renderer.render(page, 300, height, max_height=200).png)
        assert pixels.shape == (200, 300, 3) and (pixels[:, 250:] == (0, 255, 0)).all()


def test_description_gives_texts_with_their_ink_and_elements(renderer):
    drawn = renderer.render(PAGE.format(high=60), 320, describe=True)
    texts = {t["text"]: t for t in drawn.description["texts"]}
    assert set(texts) == {"Hello there", "Your name", "Below"}
    pixels = _pixels(drawn.png)
    for text in texts.values():
        x0, y0, x1, y1 = (round(v) for v in text["box"])
        crop = pixels[y0:y1, x0:x1].reshape(-1, 3)
        assert np.ptp(crop, axis=0).max() > 60, text
    card = next(e for e in drawn.description["elements"] if e["cls"] == "card")
    assert card["box"] == [20, 20, 300, 80]
    assert card["background"] == "rgb(34, 85, 238)"
    assert card["radius"] == 8


def test_wrapped_text_is_described_line_by_line(renderer):
    page = "<body style='margin:0;width:120px;font:16px sans-serif'>one two three four five six"
    lines = renderer.render(page, 120, describe=True).description["texts"]
    assert len(lines) > 1
    assert " ".join(t["text"] for t in lines) == "one two three four five six"
    assert all(a["box"][1] < b["box"][1] for a, b in itertools.pairwise(lines))


def test_without_scripts_the_page_is_drawn_as_it_is(renderer):
    page = "<p>Before</p><img src=x onerror=\"document.body.textContent='Hook'\">"
    page += "<script>document.querySelector('p').textContent = 'After'</script>"
    for scripts, words in ((True, "Hook"), (False, "Before")):
        drawn = renderer.render(page, 300, describe=True, scripts=scripts)
        assert [t["text"] for t in drawn.description["texts"]] == [words]


def test_an_endless_script_is_a_timeout_and_the_next_page_works():
    with HtmlRenderer() as html_renderer:
        with pytest.raises(VisCodexError) as caught:
            html_renderer.render("<script>while (true) {}</script>", 300, timeout=2.0)
        assert caught.value.code is ErrorCode.timeout
        assert html_renderer.render("<p>again</p>", 300).width == 300


def test_a_killed_process_is_replaced():
    with HtmlRenderer() as html_renderer:
        html_renderer.render("<p>one</p>", 300)
        process = html_renderer._process
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert html_renderer.render("<p>two</p>", 300).width == 300


def test_close_leaves_no_process():
    html_renderer = HtmlRenderer()
    html_renderer.render("<p>one</p>", 300)
    process = html_renderer._process
    html_renderer.close()
    assert process.poll() is not None


def test_a_page_beyond_the_limit_is_refused(renderer):
    with pytest.raises(VisCodexError) as caught:
        renderer.render("x" * (MAX_HTML_BYTES + 1), 300)
    assert caught.value.code is ErrorCode.render_failed


@pytest.mark.parametrize("page", ["", "just words", "<p", "<table><tr><td>", "\x00\ud800<p>x"])
def test_broken_markup_is_drawn_all_the_same(renderer, page):
    assert renderer.render(page, 200).width == 200


def test_a_process_that_died_with_a_request_unread_can_be_closed():
    html_renderer = HtmlRenderer()
    html_renderer.start()
    process = html_renderer._process
    process.kill()
    process.wait()
    process.stdin.write(b"unread")  # stays in the buffer: only flushing finds the pipe broken
    html_renderer.close()
    with html_renderer:
        assert html_renderer.render("<p>again</p>", 300).width == 300


def test_a_large_page_is_not_taken_before_it_is_drawn(renderer):
    rows = "".join(
        f'<div style="float:left;width:90px;height:60px;background:hsl({n},60%,50%);'
        f'border-radius:9px;box-shadow:0 2px 9px #888;filter:blur(1px)">{n}</div>'
        for n in range(360)
    )
    drawn = [renderer.render(f"<body>{rows}</body>", 1000).png for _ in range(3)]
    colours = [len(np.unique(_pixels(png)[::9, ::9].reshape(-1, 3), axis=0)) for png in drawn]
    assert min(colours) > 100
    assert drawn[0] == drawn[1] == drawn[2]


@pytest.fixture
def busy() -> Iterator[None]:
    """Other programs want every core."""
    spin = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(spin) for _ in range(2 * (os.cpu_count() or 1))]
    yield
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_on_a_busy_machine_each_picture_is_of_its_own_page(renderer, busy):
    """With a height that is given no size tells the new page from the one before."""
    for number in range(20):
        colour = (12 * number, 250 - 12 * number, 90)
        shade = f"background:rgb{colour};box-shadow:0 0 9px rgb{colour};border-radius:9px"
        rows = f"<p style='{shade};padding:9px'>word and word</p>" * 60
        page = f"<body style='margin:0;overflow:hidden;{shade}'>{rows}"
        pixels = _pixels(renderer.render(page, 500, 300, describe=True).png)
        assert tuple(pixels[290, 490]) == colour, number


@pytest.mark.parametrize(
    "page",
    [
        "<html style='opacity:.5;filter:blur(2px);transform:scale(.5)'><body>words",
        "<style>* { display: none !important } html { background: #123 }</style>",
        "<style>div { visibility: hidden; opacity: 0; left: 90px !important }</style><div>x</div>",
        "<dialog style='inset:0;margin:0;max-width:100%;max-height:100%;width:100%;height:100%;"
        "border:0;outline:0'>words</dialog><script>document.querySelector('dialog').showModal()</script>",
    ],
)
def test_the_mark_of_a_frame_is_found_on_any_page_and_leaves_none(renderer, page):
    began = time.monotonic()
    pictures = [_pixels(renderer.render(page, 200, 120, describe=True).png) for _ in range(2)]
    spent = time.monotonic() - began
    corner, beside = (picture[:2, :2] for picture in pictures), pictures[0][:2, 4:6]
    assert all((one == beside).all() for one in corner)
    assert (pictures[0] == pictures[1]).all()
    assert spent < 20  # a mark that is never seen is waited for some seconds


def test_a_page_can_be_asked_without_drawing_it(renderer):
    page = "<title>t</title><p>one</p><script>document.body.textContent = 'changed'</script>"
    script = "JSON.stringify([document.querySelector('p').textContent, innerWidth, innerHeight])"
    assert renderer.probe(page, 500, 300, script) == '["one",500,300]'
    assert "popover" not in renderer.probe(page, 500, 300, "document.documentElement.outerHTML")
    assert renderer.probe(page, 500, 300, "12") == ""
    assert renderer.probe(page, 500, 300, "throw 1") == ""
    assert renderer.render(page, 200, 100, scripts=False).width == 200  # it still draws

"""Real pages to snips: sanitised, cut by the DOM, with the rules that apply and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.errors import VisCodexError
from tests.fixtures.sources import run
from training.data.sources.web_files import whole_page
from training.data.sources.web_script import PLACEHOLDER

DEBIAN_DOCS = Path("/usr/share/doc")

PAGE = """<!DOCTYPE html><html><head><title>Shop</title>
<link rel="stylesheet" href="css/main.css"><link rel="stylesheet" href="../outside.css">
<link rel="stylesheet" href="https://cdn.example/x.css">
<script src="https://tracker.example/t.js"></script>
<style>
:root { --brand: #204080; --unused: 1px; --deep: var(--brand); }
.card { border: 2px solid var(--deep); padding: 12px;
  background: url(https://a.example/b.png) #eef; }
.never { color: red; } .card:hover { color: lime; } a::before { content: "→ "; }
@media (max-width: 500px) { .card { padding: 1px; } h1 { font-size: 15px; } }
@media print { .card { display: none; } }
@font-face { font-family: "Remote"; src: url(https://a.example/f.woff); }
.late { animation: spin 2s; cursor: pointer; color: #123456; }
</style></head>
<body onload="alert(1)"><!-- a comment -->
<nav class="menu x" data-track="1"><a href="https://shop.example/?a=1" onclick="x()">Home</a>
<a href="/two">Goods</a></nav>
<h1 class="late">Goods &amp; prices of the shop</h1>
<div class="outer"><div class="card spare">
<h2>Blue chair</h2><p>It has <b>four</b> legs and is blue.</p>
<img src="pic.png" alt="chair"><img src="https://a.example/pixel.gif" width="1" height="1">
<iframe src="https://ads.example" width="200" height="40"></iframe>
<form action="https://post.example"><p>How many of them?</p>
<input name="q" placeholder="How many"><button>Buy</button></form>
</div></div>
<p style="display:none">hidden words</p><noscript>no script</noscript>
<pre>line one
  line two</pre>
<script>document.write("written")</script></body></html>"""


@pytest.fixture
def shop(tmp_path):
    from PIL import Image

    root = tmp_path / "site"
    (root / "css").mkdir(parents=True)
    (root / "index.html").write_text(PAGE)
    (root / "css" / "main.css").write_text('@import "more.css"; body { margin: 30px; }')
    (root / "css" / "more.css").write_text(".outer .card h2 { color: #a01020; }")
    (tmp_path / "outside.css").write_text("h1 { color: #00ff00; }")
    Image.new("RGB", (160, 90), "red").save(root / "pic.png")
    return root


def drafts_of(tools, **plan):
    return run(tools, type="web", **plan)[0]


def part_of(draft):
    return re.search(r"\((\w+) at", draft.record.origin)[1]


def test_nothing_of_a_page_is_fetched_run_or_followed(shop, tools):
    drafts = drafts_of(tools, folder=str(shop), license="MIT")
    assert {"page", "component"} <= {part_of(draft) for draft in drafts}
    for draft in drafts:
        code = draft.record.code.replace(PLACEHOLDER, "")
        assert not re.search(r"https?://|<script|on\w+=|data-track|<iframe|noscript|<!--", code)
        assert not re.search(r"hidden words|written|@font-face|animation|cursor|hover", code)
        assert draft.record.license == "MIT"
        assert draft.lines


def test_a_page_keeps_the_rules_that_apply_and_no_others(shop, tools):
    page = next(d for d in drafts_of(tools, folder=str(shop)) if part_of(d) == "page")
    code = page.record.code
    assert "--brand: #204080" in code and "--deep" in code and "--unused" not in code
    assert "border: 2px solid var(--deep)" in code
    assert ".never" not in code and "padding: 1px" not in code and "15px" not in code
    assert "margin: 30px" in code and "rgb(160, 16, 32)" in code  # both from files beside it
    assert "0, 255, 0" not in code  # from a file outside the folder
    assert 'a::before { content: "→ "; }' in code
    assert 'class="card"' in code and "spare" not in code
    assert 'alt="chair"' in code and 'width="160"' in code and 'height="90"' in code
    assert "line one\n  line two</pre>" in code
    assert [line.text for line in page.lines][1].startswith("Goods")


def test_media_rules_follow_the_width(shop, tools):
    drafts = [
        d for d in drafts_of(tools, folder=str(shop), widths=[1000, 400]) if part_of(d) == "page"
    ]
    wide, narrow = (d.record.code for d in drafts)
    assert [d.pictures[0].image.width for d in drafts] == [1000, 400]
    assert "padding: 1px" not in wide and "padding: 1px" in narrow
    assert "@media" not in narrow


def test_a_component_looks_as_in_its_page(shop, tools):
    drafts = drafts_of(tools, folder=str(shop), widths=[1000], parts=["page", "component"])
    parts = [draft for draft in drafts if part_of(draft) == "component"]
    card = next(draft for draft in parts if "Blue chair" in draft.record.code)
    form = next(d for d in parts if "<form" in d.record.code and "Blue" not in d.record.code)
    # The rule reaches through a wrapper, so the wrapper stays for the card and goes for the form.
    assert 'class="outer"' in card.record.code
    assert 'class="outer"' not in form.record.code
    lines = {line.text: line for line in card.lines}
    assert abs(lines["Blue chair"].ink[0] - 160) < 30
    assert "Goods &amp; prices" not in card.record.code
    assert card.pictures[0].image.height < 500


def test_what_lies_outside_the_folder_is_not_read(shop):
    text = whole_page(shop / "index.html", shop)
    assert "margin: 30px" in text and "#a01020" in text
    assert "#00ff00" not in text and "cdn.example" not in text
    (shop / "css" / "main.css").unlink()
    (shop / "css" / "main.css").symlink_to(shop.parent / "outside.css")
    assert "#00ff00" not in whole_page(shop / "index.html", shop)


def test_tall_pages_are_cut_into_sections(tmp_path, tools):
    parts = "".join(
        f"<h2>Chapter {n}</h2>" + f"<p>{'Some words of it. ' * 60}</p>" * 3 for n in range(12)
    )
    (tmp_path / "tall.html").write_text(f"<body><main>{parts}</main></body>")
    drafts = drafts_of(
        tools, folder=str(tmp_path), snips=20, widths=[800], parts=["page", "section"]
    )
    sections = [d for d in drafts if part_of(d) == "section"]
    assert len(sections) >= 6 and all(part_of(d) != "page" for d in drafts)
    assert all(80 <= d.pictures[0].image.height <= 1400 for d in sections)
    told = " ".join(d.record.code for d in sections)
    assert all(f"Chapter {n}<" in told for n in range(12))
    assert len({d.record.group for d in drafts}) == 1


def test_real_pages_of_benchmark_samples(data_folder, tmp_path, tools):
    for number, path in enumerate(sorted(data_folder.glob("calibration/*/*/reference.html"))[:6]):
        (tmp_path / f"{number}.html").write_bytes(path.read_bytes())
    drafts = drafts_of(tools, folder=str(tmp_path), widths=[1280], snips=4)
    assert len(drafts) >= 12
    assert len({draft.record.group for draft in drafts}) == 6
    for draft in drafts:
        assert not re.search(r"(src|href|action)=\"(?!#|data:)|url\(|<script", draft.record.code)


def test_documentation_of_an_installed_package(tools):
    packages = sorted(
        path.parent for path in DEBIAN_DOCS.glob("*/*.html") if path.stat().st_size > 3000
    )
    packages += sorted(path.parents[1] for path in DEBIAN_DOCS.glob("*/html/*.html"))
    if not packages:
        pytest.skip("no Debian package with HTML documentation is installed")
    drafts = drafts_of(tools, package=packages[0].name, limit=3, snips=4)
    assert drafts
    assert all(draft.record.origin.split(" (")[0].endswith((".html", ".htm")) for draft in drafts)


def test_bad_places_are_told(tmp_path, tools):
    with pytest.raises(VisCodexError, match="no-such-package"):
        drafts_of(tools, package="no-such-package")
    with pytest.raises(VisCodexError, match="no-such-folder"):
        drafts_of(tools, folder=str(tmp_path / "no-such-folder"))
    with pytest.raises(VisCodexError, match="either a folder or a package"):
        drafts_of(tools)

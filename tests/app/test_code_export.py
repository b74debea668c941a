"""The code as files: names, project folders, pages taken apart that draw the same."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from app.export.names import file_stem, suggested_name
from app.export.page import single_page, split_page
from app.export.project import project_files, requirements, write_project
from engine.compare import similarity
from engine.render.html import HtmlRenderer


def png(colour: str) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), colour).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


SVG = (
    "data:image/svg+xml;utf8,<svg xmlns=%22http://www.w3.org/2000/svg%22 width=%2260%22 "
    "height=%2230%22><rect width=%2260%22 height=%2230%22 fill=%22teal%22/></svg>"
)
RICH = f"""<!DOCTYPE html>
<html lang="de">
<head>
<title>Größe &amp; Preis</title>
<style>
p {{ color: #b00; font: 16px sans-serif; }}
.card {{ background: url("{png("orange")}"); padding: 20px; }}
</style>
<style media="screen">p {{ color: #00b; }}</style>
<style id="later">p {{ letter-spacing: 2px; }}</style>
<style>@import url("none.css"); .card {{ border: 3px solid #0a0; }}</style>
<style>p {{ word-spacing: 9px; </style>
<style>h1 {{ color: teal; }}</style>
</head>
<body>
<h1>Größe</h1> one<style>h1 {{ margin: 4px; }}</style>
two
<div class="card"><p>Preis: 5 €</p></div>
<img src="{png("red")}" alt=""> <img src="{png("red")}" alt="">
<img src="{SVG}" alt="">
<template><style>p {{ display: none; }}</style></template>
<svg width="50" height="20"><style>rect {{ fill: purple; }}</style>
<rect width="50" height="20"/></svg>
<p id="out"></p>
<script type="application/json">{{"text": "written"}}</script>
<script>
document.getElementById("out").textContent = "by a script < of its own";
</script>
<script>document.getElementById("out").style.fontSize = "30px";</script>
</body>
</html>"""
PLAIN = "<h1>Just this</h1><p>no style</p>"
PAGES = {
    "rich": RICH,
    "plain": PLAIN,
    "quirks": "<style>td{font-size:9px}</style><table><tr><td>ä</td></tr></table>",
    "cut off": "<html><head><style>p{color:red}</style><style>p{margin:9px} b{",
}


def put_together(files: dict[str, bytes]) -> str:
    """The page of a folder as a browser has it once all its files are loaded."""
    page = files["index.html"].decode()

    def load(text: str) -> str:
        for name, data in files.items():
            kind = "image/svg+xml" if name.endswith(".svg") else "image/png"
            url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
            if name.startswith("pictures/"):
                text = text.replace(f'"{name}"', f'"{url}"').replace(f"({name})", f"({url})")
        return text

    def sheet(found: re.Match[str]) -> str:
        return f"<style{found[2]}>{load(files[found[1]].decode())}</style>"

    page = load(page)
    page = re.sub(r'<link rel="stylesheet" href="(style[^"]*)"([^>]*)>', sheet, page)
    return re.sub(
        r'<script src="([^"]*)"></script>',
        lambda found: f"<script>{files[found[1]].decode()}</script>",
        page,
    )


@pytest.mark.parametrize("name", PAGES)
def test_folder_draws_the_same_as_the_page(name: str) -> None:
    code = PAGES[name]
    files = split_page(code)
    together = put_together(files)
    assert not re.search(r"(style|script)[-\d]*\.(css|js)", together)
    with HtmlRenderer() as renderer:
        wanted = renderer.render(code, 640)
        single = renderer.render(single_page(code), 640)
        folder = renderer.render(together, 640)
    pictures = [Image.open(io.BytesIO(page.png)) for page in (wanted, single, folder)]
    assert similarity(pictures[0], pictures[2]).total == 1.0
    assert [p.tobytes() == pictures[0].tobytes() for p in pictures] == [True] * 3


def test_what_goes_where() -> None:
    files = split_page(RICH)
    page = files["index.html"].decode()
    assert list(files) == [
        "index.html",
        *(f"style{n}.css" for n in ("", "-2", "-3", "-4")),
        "script.js",
        "script-2.js",
        *(f"pictures/picture-{n}" for n in ("1.png", "2.svg", "3.png")),
    ]
    assert page.count("picture-1.png") == 2  # equal pictures are one file
    assert 'href="style-2.css" media="screen"' in page
    assert '<style id="later">' in page
    assert "display: none" in page and "fill: purple" in page and '"written"' in page
    assert '<meta charset="utf-8">' in page
    assert 'url("pictures/picture-3.png")' in files["style.css"].decode()
    assert files["style-4.css"].decode() == "h1 { color: teal; }\n\nh1 { margin: 4px; }\n"
    assert files["pictures/picture-2.svg"].startswith(b"<svg")


def test_blocks_that_follow_each_other_are_one_sheet() -> None:
    code = "<head>\n<style>\na{}\n</style>\n<style>b{}</style>\n</head>"
    files = split_page(code)
    assert files["style.css"] == b"a{}\n\nb{}\n"
    assert files["index.html"] == b'<head>\n<link rel="stylesheet" href="style.css">\n</head>\n'


def test_what_is_no_single_picture_stays() -> None:
    one = png("red")
    for value in (
        f"{one} 1x, {one} 2x",
        "data:image/png;base64,@@",
        f"{SVG}#part",
        "data:image/x,",
    ):
        code = f'<img srcset="{value}">'
        assert split_page(code) == {"index.html": f"{code}\n".encode()}


def test_page_says_its_encoding_only_where_it_must() -> None:
    assert single_page("<p>a</p>") == "<p>a</p>\n"
    assert single_page("<!doctype html>\n<html>\n<p>ä") == (
        '<!doctype html>\n<html><meta charset="utf-8">\n<p>ä\n'
    )
    known = '<meta http-equiv="x" content="y; charset=utf-8"><p>ä\n'
    assert single_page(known) == known


@pytest.mark.parametrize(
    ("code", "target", "name"),
    [
        ("<title>\n Größe &amp; Preis: 5/7 </title>", "html", "größe-preis-5-7.html"),
        ("<title></title><h1>Sign <b>in</b></h1>", "html", "sign-in.html"),
        ("<p>none</p>", "html", "page.html"),
        ("<title>CON</title>", "html", "con-1.html"),
        ("import x\nax.set_title('Sales 2024')\nfig.suptitle('')", "matplotlib", "sales-2024.py"),
        ("plt.title('a')\nplt.suptitle('All')", "matplotlib", "all.py"),
        ("plt.title(f'{x}')", "matplotlib", "chart.py"),
        ("plt.title('", "matplotlib", "chart.py"),
        ("<title>图表</title>", "html", "图表.html"),
    ],
)
def test_suggested_name(code: str, target: str, name: str) -> None:
    assert suggested_name(code, target) == name


def test_name_is_never_too_long() -> None:
    assert file_stem("word " * 100).startswith("word-word")
    assert len(file_stem("word " * 100)) <= 60


def test_chart_comes_with_what_it_needs() -> None:
    code = (
        "import math, numpy as np\nimport matplotlib.pyplot as plt\nfrom PIL import Image\n"
        "from . import own\nimport pandas.io\n\n\n"
    )
    files = project_files(code, "matplotlib")
    assert files["requirements.txt"] == b"matplotlib\nnumpy\npandas\npillow\n"
    assert files["chart.py"] == code.rstrip().encode() + b"\n"
    assert requirements("import (") == ["matplotlib"]


def test_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    place = tmp_path / "page"
    files = project_files(RICH, "html")
    write_project(files, place)
    found = {
        p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()
    }
    assert found == files
    with pytest.raises(FileExistsError):
        write_project({"index.html": b"new"}, place)
    assert (place / "index.html").read_bytes() == files["index.html"]
    with pytest.raises((FileExistsError, NotADirectoryError)):
        write_project({"a": b"1", "a/b": b"2"}, tmp_path / "broken")
    with pytest.raises(FileNotFoundError):
        write_project(files, tmp_path / "missing" / "page")
    empty = tmp_path / "empty"
    empty.mkdir()
    write_project({"index.html": b"x"}, empty)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "page"]

"""A page taken apart into files that draw the same: index.html, style.css, script.js, pictures.

What cannot be moved without a risk to the look stays where it is: styles inside `<template>`,
`<noscript>` or `<svg>`, blocks that carry an id, modules (browsers refuse them from a folder), and
blocks of data.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape, unescape
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes

PAGE = "index.html"
PICTURES = "pictures"
_CLASSIC_SCRIPT = frozenset({"", "text/javascript", "application/javascript"})
_SHUT = frozenset({"template", "noscript", "svg", "math"})
_FIRST_RULES = re.compile(r"@(?:import|charset|namespace)\b", re.IGNORECASE)
_SUFFIXES: Mapping[str, str] = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
}
_PICTURE = re.compile(
    r"""(?P<quote>["'])(?P<quoted>data:image/(?:(?!(?P=quote)).)*)(?P=quote)"""
    r"""|(?<=url\()(?P<bare>data:image/[^\s"')]*)(?=\))""",
    re.DOTALL,
)
_CHARSET = re.compile(r"<meta\b[^>]*\bcharset\b", re.IGNORECASE)
_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_HTML = re.compile(r"\A\s*(?:<!doctype[^>]*>)?\s*(?:<html(?:\s[^>]*)?>)?", re.IGNORECASE)


@dataclass
class _Block:
    """A style or script element: where it stands in the page, and what is between its tags."""

    tag: str
    attributes: dict[str, str]
    start: int
    body: int
    body_end: int = 0
    end: int = 0
    shut: bool = False


class _Finder(HTMLParser):
    """Finds style and script elements, and links to style sheets, by their place in the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.blocks: list[_Block] = []
        self.barriers: list[int] = []  # where other style sheets come in
        self._text = text
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._open: _Block | None = None
        self._shut: list[str] = []
        self.feed(text)
        self.close()

    def _place(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        start, attributes = self._place(), {name: value or "" for name, value in attrs}
        if tag in _SHUT:
            self._shut.append(tag)
        elif tag == "link" and "stylesheet" in attributes.get("rel", "").lower():
            self.barriers.append(start)
        elif tag in {"style", "script"}:
            body = start + len(self.get_starttag_text() or "")
            self._open = _Block(tag, attributes, start, body, shut=bool(self._shut))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # HTML knows no self-closing style, script or template; foreign elements do.
        if tag not in {"svg", "math"}:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        start, block = self._place(), self._open
        if tag in self._shut:
            while self._shut.pop() != tag:
                pass
        elif block is not None and tag == block.tag:
            block.body_end, block.end = start, self._text.index(">", start) + 1
            self.blocks.append(block)
            self._open = None


def single_page(code: str) -> str:
    """The page as one file, its style inside; says its encoding, as a file has to."""
    return _with_charset(code).rstrip() + "\n"


def split_page(code: str) -> dict[str, bytes]:
    """Files of a project folder for a page: path in the folder (with "/") -> content.

    `index.html` is always there; `style.css`, `script.js` and pictures where the page has such.
    """
    code = single_page(code)
    finder = _Finder(code)
    sheets, scripts, pieces = _Sheets(finder.barriers), [], []
    head_end = code.lower().find("</head")
    done = 0
    for block in finder.blocks:
        body = code[block.body : block.body_end].strip("\n")
        if block.tag == "style" and not _may_move_style(block):
            finder.barriers.append(block.start)
        elif body.strip() and (block.tag == "style" or _may_move_script(block)):
            pieces.append(code[done : block.start])
            done = block.end
            if block.tag == "script":
                scripts.append(body)
                pieces.append(f'<script src="{_numbered("script", ".js", len(scripts))}"></script>')
            else:
                pieces.append(sheets.add(block, body))
            if not pieces[-1] and done <= head_end:
                pieces[-2] = pieces[-2].rstrip(" \t").removesuffix("\n")  # leaves no empty line
    pieces.append(code[done:])
    pictures = _Pictures()
    files = {PAGE: pictures.taken_out("".join(pieces), unescape).encode()}
    for number, bodies in enumerate(sheets.bodies, 1):
        sheet = pictures.taken_out("\n\n".join(bodies), str)
        files[_numbered("style", ".css", number)] = f"{sheet}\n".encode()
    for number, body in enumerate(scripts, 1):
        files[_numbered("script", ".js", number)] = f"{body}\n".encode()
    return {**files, **pictures.files}


class _Sheets:
    """Style blocks gathered into as few sheets as keep their meaning.

    A new sheet begins behind another style sheet (the order decides between rules of equal
    weight), for a medium of its own, for rules that must stand first, and behind a block whose
    braces or comments are left open (they end with their block).
    """

    def __init__(self, barriers: list[int]) -> None:
        self.bodies: list[list[str]] = []
        self._barriers = barriers
        self._end = 0  # of the last block
        self._closed = True  # whether the newest sheet takes no more

    def add(self, block: _Block, body: str) -> str:
        """Take a block in; the link that stands in its place, "" where it joined the last one."""
        media = block.attributes.get("media", "").strip()
        fresh = (
            self._closed
            or bool(media)
            or _FIRST_RULES.search(body) is not None
            or any(self._end <= place < block.start for place in self._barriers)
        )
        self._end = block.end
        self._closed = bool(media) or not _balanced(body)
        if not fresh:
            self.bodies[-1].append(body)
            return ""
        self.bodies.append([body])
        name = _numbered("style", ".css", len(self.bodies))
        only = f' media="{escape(media)}"' if media else ""
        return f'<link rel="stylesheet" href="{name}"{only}>'


def _balanced(css: str) -> bool:
    return css.count("{") == css.count("}") and css.count("/*") == css.count("*/")


def _may_move_style(block: _Block) -> bool:
    kind = block.attributes.get("type", "").strip().lower()
    return not block.shut and kind in {"", "text/css"} and set(block.attributes) <= {
        "type", "media",
    }  # fmt: skip


def _may_move_script(block: _Block) -> bool:
    kind = block.attributes.get("type", "").strip().lower()
    return not block.shut and kind in _CLASSIC_SCRIPT and set(block.attributes) <= {"type"}


def _numbered(stem: str, suffix: str, number: int) -> str:
    return f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"


class _Pictures:
    """Pictures written into the text as data URLs, made files; equal ones are one file."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._names: dict[bytes, str] = {}

    def taken_out(self, text: str, plain: Callable[[str], str]) -> str:
        """`text` with names of files for its pictures; `plain` undoes the escapes of its kind."""
        return _PICTURE.sub(lambda found: self._one(found, plain), text)

    def _one(self, found: re.Match[str], plain: Callable[[str], str]) -> str:
        name = self._file(plain(found["quoted"] or found["bare"]))
        if name is None:
            return found[0]
        return f"{found['quote']}{name}{found['quote']}" if found["quote"] else name

    def _file(self, url: str) -> str | None:
        head, comma, body = url.partition(",")
        kind, *parameters = head.removeprefix("data:").lower().split(";")
        suffix = _SUFFIXES.get(kind.strip())
        coded = "base64" in parameters
        if not comma or suffix is None or (not coded and re.search(r"[#\\]", body)):
            return None  # a fragment may choose a part of the picture; escapes of CSS stay
        try:
            data = unquote_to_bytes(body)
            if coded:
                data = base64.b64decode(re.sub(rb"\s+", b"", data), validate=True)
        except ValueError:  # a list of pictures, or rubbish
            return None
        if suffix == ".svg" and not (data.strip()[:1] == b"<" and data.strip()[-1:] == b">"):
            return None
        if data not in self._names:
            name = f"{PICTURES}/picture-{len(self.files) + 1}{suffix}"
            self.files[name], self._names[data] = data, name
        return self._names[data]


def _with_charset(code: str) -> str:
    """Name UTF-8 where the page has other letters than ASCII and does not say it itself."""
    if code.isascii() or _CHARSET.search(code):
        return code
    found = _HEAD.search(code) or _HTML.match(code)
    place = found.end() if found else 0
    return f'{code[:place]}<meta charset="utf-8">{code[place:]}'

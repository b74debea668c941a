"""A page with all that belongs to it: stylesheets beside it put in, sizes of its pictures noted.

What lies outside the folder is never read, and nothing is fetched.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from PIL import Image, UnidentifiedImageError

_LINK = re.compile(r"<link\b[^>]*>", re.IGNORECASE)
_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_SCRIPT = re.compile(r"<script\b.*?(?:</script\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)")
_IMPORT = re.compile(
    r"@import\s+(?:url\(\s*)?[\"']?([^\"')\s;]+)[\"']?\s*\)?([^;]*);", re.IGNORECASE
)
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
MAX_STYLE = 1_000_000  # bytes
NESTING = 4


def whole_page(path: Path, root: Path) -> str:
    """The page at `path`, which lies under `root`."""
    data = path.read_bytes()
    text = _decoded(data)
    text = _SCRIPT.sub("", text)
    text = _LINK.sub(lambda match: _style(match.group(), path, root), text)
    return _IMAGE.sub(lambda match: _measured(match.group(), path, root), text)


def _decoded(data: bytes) -> str:
    found = _CHARSET.search(data[:2048])
    for name in (found.group(1).decode() if found else "utf-8", "utf-8", "cp1252"):
        try:
            return data.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
    return data.decode("utf-8", "replace")


def _attributes(tag: str) -> dict[str, str]:
    return {
        name.lower(): html.unescape(value.strip("\"'")) for name, value in _ATTRIBUTE.findall(tag)
    }


def local_file(address: str, beside: Path, root: Path) -> Path | None:
    """The file that an address in a page names, where it is one under `root`."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return None
    if parts.scheme or parts.netloc or not parts.path:
        return None
    plain = unquote(parts.path)
    place = root / plain.lstrip("/") if plain.startswith("/") else beside.parent / plain
    try:
        place = place.resolve()
        inside = place.is_relative_to(root.resolve())
        return place if inside and place.is_file() else None
    except (OSError, ValueError):  # names that no file can have
        return None


def _style(tag: str, path: Path, root: Path) -> str:
    told = _attributes(tag)
    kinds = told.get("rel", "").lower().split()
    if "stylesheet" not in kinds or "alternate" in kinds:
        return ""
    file = local_file(told.get("href", ""), path, root)
    if file is None:
        return ""
    media = html.escape(told.get("media", ""))
    rules = stylesheet(file, root).replace("</style", "<\\/style")
    return f'<style media="{media}">\n{rules}\n</style>'


@lru_cache(maxsize=64)
def stylesheet(file: Path, root: Path, depth: int = NESTING) -> str:
    """The rules of a stylesheet, those that it imports put in."""
    if depth == 0 or file.stat().st_size > MAX_STYLE:
        return ""
    rules = file.read_text(encoding="utf-8", errors="replace").lstrip("\ufeff")

    def imported(match: re.Match[str]) -> str:
        other = local_file(match.group(1), file, root)
        if other is None:
            return ""
        inner, media = stylesheet(other, root, depth - 1), match.group(2).strip()
        return f"@media {media} {{\n{inner}\n}}" if media else inner

    return _IMPORT.sub(imported, rules)


def _measured(tag: str, path: Path, root: Path) -> str:
    """An image's tag with the size of its file, for a placeholder of that size."""
    told = _attributes(tag)
    if "width" in told and "height" in told:
        return tag
    file = local_file(told.get("src", ""), path, root)
    size = None if file is None else _size(file)
    if size is None:
        return tag
    return f'<img data-across="{size[0]}" data-down="{size[1]}"{tag[4:]}'


@lru_cache(maxsize=1024)
def _size(file: Path) -> tuple[int, int] | None:
    try:
        with Image.open(file) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None

"""Ways in: what a file, a drop or the clipboard offers, made into a picture of the session."""

from __future__ import annotations

import base64
import binascii
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData
from PySide6.QtGui import QImage

from app.i18n import _
from app.session import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")

_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]+(?P<base64>;base64)?,(?P<body>[^\"'\s>]+)", re.I)
_REMOTE = re.compile(r"\Ahttps?://\S+\Z", re.I)
_IMG_SOURCE = re.compile(r"<img[^>]+src\s*=\s*[\"']?(?P<source>[^\"'\s>]+)", re.I)


def file_filter() -> str:
    """For a dialog that chooses a picture."""
    return _("Pictures ({patterns})").format(patterns=" ".join(f"*{one}" for one in SUFFIXES))


class Refused(Exception):
    """Nothing usable was offered. `code` names an entry of `messages.ERRORS`."""

    def __init__(self, code: str, message: str, advice: str) -> None:
        super().__init__(message)
        self.code, self.message, self.advice = code, message, advice


@dataclass(frozen=True)
class Offer:
    """A picture somebody offers: a file, bytes of a file, or pixels."""

    source: Path | bytes | QImage
    name: str

    def to_picture(self) -> Picture:
        """Read and check the picture; run this off the GUI thread. Raises VisCodexError.

        One with more pixels than can be worked with is made smaller.
        """
        from engine.images import MAX_FILE_BYTES, read_picture

        source = png_bytes(self.source) if isinstance(self.source, QImage) else self.source
        loaded = read_picture(source)
        image, full = loaded.image, loaded.full
        while len(png := _encoded(image)) > MAX_FILE_BYTES:  # much detail: the engine takes less
            full = full or image.size
            image = image.resize((round(image.width * 0.8), round(image.height * 0.8)))
        return Picture(png, image.width, image.height, self.name, full)


def _encoded(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def offers_from_mime(mime: QMimeData, name: str) -> list[Offer]:
    """All pictures in a drop or on the clipboard: several local files are several pictures.

    Raises Refused where there is none.
    """
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    if len(paths) > 1:
        return [Offer(path, path.name) for path in paths]
    return [offer_from_mime(mime, name)]


def offer_from_mime(mime: QMimeData, name: str) -> Offer:
    """The best picture in a drop or on the clipboard. Raises Refused where there is none.

    Local files come first, then pixels, then data URLs; a remote address alone is refused, since
    nothing is ever fetched from the network.
    """
    for url in mime.urls():
        if url.isLocalFile():
            path = Path(url.toLocalFile())
            return Offer(path, path.name)
    if mime.hasImage():
        image = mime.imageData()
        if isinstance(image, QImage) and not image.isNull():
            return Offer(image, name)
    for text in (mime.html(), mime.text(), *(url.toString() for url in mime.urls())):
        found = _DATA_URL.search(text) if text else None
        if found:
            return Offer(_data_url_bytes(found), name)
    text = mime.text().strip()
    remote = next((u.toString() for u in mime.urls()), "") or text
    in_page = _IMG_SOURCE.search(mime.html()) if mime.hasHtml() else None
    if _REMOTE.match(remote) or (in_page and _REMOTE.match(in_page["source"])):
        raise Refused(
            "remote_picture",
            _("VisCodex never loads anything from the network."),
            _("Save the picture first, then open the file."),
        )
    if text and "\n" not in text and text.lower().endswith(SUFFIXES):
        path = Path(text).expanduser()
        if path.is_file():
            return Offer(path, path.name)
    raise Refused(
        "clipboard_empty",
        _("What was given holds no picture."),
        _("Copy a picture, a picture file or a data URL and try again."),
    )


def cut(picture: Picture, box: tuple[int, int, int, int]) -> Picture:
    """The part of a picture in `box` (x0, y0, x1, y1); run this off the GUI thread."""
    from PIL import Image

    with Image.open(io.BytesIO(picture.png)) as whole:
        part = whole.crop(box)
    buffer = io.BytesIO()
    part.save(buffer, "PNG", compress_level=1)
    return Picture(
        buffer.getvalue(), part.width, part.height, _("{name} (part)").format(name=picture.name)
    )


def may_hold_picture(mime: QMimeData) -> bool:
    """Cheap test while something is dragged over the window."""
    return mime.hasUrls() or mime.hasImage() or mime.hasHtml() or mime.hasText()


def png_bytes(image: QImage) -> bytes:
    """`image` as PNG, quickly rather than small."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG", 90)  # type: ignore[call-overload]
    return bytes(data.data())


def _data_url_bytes(found: re.Match[str]) -> bytes:
    body = unquote_to_bytes(found["body"])
    if not found["base64"]:
        return body
    try:
        return base64.b64decode(body, validate=False)
    except binascii.Error as error:
        raise Refused(
            "bad_input", _("The data URL is damaged."), _("Save the picture as a file and open it.")
        ) from error

"""Pictures in: every format, orientation, alpha, and everything that must be refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import ErrorCode, VisCodexError
from engine.images import (
    MAX_PIXELS,
    MOST_PIXELS,
    ImageLimits,
    grid_size,
    load_picture,
    read_picture,
    to_grid,
)

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def refused(source: Path | bytes) -> VisCodexError:
    with pytest.raises(VisCodexError) as caught:
        load_picture(source)
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_comes_out_as_rgb(kind: str) -> None:
    picture = load_picture(encoded(Image.new("RGB", (40, 30), (200, 30, 90)), kind, quality=95))
    assert picture.mode == "RGB"
    assert picture.size == (40, 30)
    assert np.abs(np.asarray(picture.getpixel((20, 15))) - (200, 30, 90)).max() <= 4


def test_exif_orientation_is_applied() -> None:
    picture = Image.new("RGB", (40, 20), "white")
    picture.paste((255, 0, 0), (0, 0, 10, 20))  # red at the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned = load_picture(encoded(picture, "JPEG", exif=exif, quality=95))
    assert turned.size == (20, 40)
    red, green, _ = turned.getpixel((10, 2))
    assert red > 200
    assert green < 60
    assert min(turned.getpixel((10, 35))) > 200


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_alpha_is_laid_on_white(mode: str) -> None:
    picture = Image.new("RGBA", (30, 30), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 15, 30))
    loaded = load_picture(encoded(picture.convert(mode)))
    assert loaded.getpixel((25, 15)) == (255, 255, 255)
    assert loaded.getpixel((5, 15)) == (0, 0, 0)


def test_half_transparent_is_blended() -> None:
    loaded = load_picture(encoded(Image.new("RGBA", (30, 30), (255, 0, 0, 128))))
    assert loaded.getpixel((5, 5)) == (255, 127, 127)


def test_sixteen_bits_a_channel_are_scaled_down() -> None:
    values = np.linspace(0, 65535, 64 * 32).reshape(32, 64).astype(np.uint16)
    loaded = np.asarray(load_picture(encoded(Image.fromarray(values))))
    assert loaded.min() == 0
    assert loaded.max() == 255
    assert abs(int(loaded[16, 0, 0]) - 128) <= 1


def test_palette_and_bilevel() -> None:
    source = Image.new("RGB", (40, 30), (10, 120, 250))
    assert load_picture(encoded(source.quantize(8))).getpixel((3, 3)) == (10, 120, 250)
    assert load_picture(encoded(Image.new("1", (40, 30), 1))).getpixel((3, 3)) == (255,) * 3


def test_the_first_frame_of_a_gif_counts() -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("#ff0000", "#0000ff")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert load_picture(data).getpixel((5, 5)) == (255, 0, 0)


def test_the_content_counts_not_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(encoded(Image.new("RGB", (40, 30), "red")))
    assert load_picture(path).size == (40, 30)


def test_missing_folder_empty_and_no_picture(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.png").code is ErrorCode.bad_input
    assert refused(tmp_path).code is ErrorCode.bad_input
    for name, content in {
        "empty.png": b"",
        "text.png": b"hello, this is no picture",
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "print.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }.items():
        (tmp_path / name).write_bytes(content)
        error = refused(tmp_path / name)
        assert error.code is ErrorCode.unsupported_image
        assert name in error.message


def test_tiff_is_not_among_the_formats() -> None:
    assert refused(encoded(Image.new("RGB", (40, 30)), "TIFF")).code is ErrorCode.unsupported_image


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_truncated(kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (80, 80, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    assert refused(data[: len(data) // 2]).code is ErrorCode.unsupported_image


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds almost nothing."""
    size = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    content = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [20_000, 65_535])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    error = refused(png_header(side, side))
    assert error.code is ErrorCode.image_too_large
    assert "pixels" in error.message


def test_thin_strips_and_specks_are_refused() -> None:
    assert refused(encoded(Image.new("RGB", (300, 3)))).code is ErrorCode.image_too_small
    assert refused(encoded(Image.new("RGB", (9, 2000)))).code is ErrorCode.image_too_narrow
    # Advice to snip a larger part would help nobody with this one.
    assert refused(encoded(Image.new("RGB", (8000, 100)))).code is ErrorCode.image_too_narrow
    assert refused(encoded(Image.new("RGB", (1, 1)))).code is ErrorCode.image_too_small


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 200))
def test_damaged_files_end_in_an_error_or_a_picture(garbage: bytes, at: int) -> None:
    whole = encoded(Image.new("RGB", (40, 30), "teal"))
    data = whole[:at] + garbage + whole[at + len(garbage) :]
    try:
        mode = load_picture(data).mode
    except VisCodexError as error:
        mode = "RGB" if error.exit_code == 2 else "wrong exit code"
    assert mode == "RGB"


@given(st.integers(8, 8000), st.integers(8, 8000), st.integers(1, 64), st.integers(0, 1000))
def test_the_grid_keeps_its_limits(width: int, height: int, least: int, more: int) -> None:
    limits = ImageLimits(min_tokens=least, max_tokens=least + 64 + more)
    across, down = grid_size(width, height, limits)
    assert across % 28 == 0
    assert down % 28 == 0
    tokens = across * down // 28**2
    assert tokens <= limits.max_tokens
    assert tokens >= limits.min_tokens or max(width, height) > 20 * min(width, height)


@given(st.integers(200, 1200), st.integers(200, 1200))
def test_the_grid_keeps_the_aspect(width: int, height: int) -> None:
    across, down = grid_size(width, height, ImageLimits())
    assert abs(np.log(across / down * height / width)) < np.log(1.35)


def test_a_picture_on_the_grid_is_not_touched() -> None:
    picture = Image.new("RGB", (280, 140))
    assert to_grid(picture, ImageLimits()) is picture
    assert to_grid(Image.new("RGB", (281, 139)), ImageLimits()).size == (280, 140)


def test_the_pixel_limit_is_sane() -> None:
    # Above what screens have, below what fills memory.
    assert 7680 * 4320 < MAX_PIXELS < MOST_PIXELS < 200_000_000


def wide(mode: str) -> Image.Image:
    """A picture of 48 million pixels that grows lighter from the top to the bottom."""
    return Image.linear_gradient("L").resize((8000, 6000)).convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGB", "JPEG"), ("RGBA", "PNG"), ("P", "PNG"), ("L", "WEBP"), ("1", "PNG")]
)
def test_what_is_too_large_is_made_smaller(mode: str, kind: str) -> None:
    loaded = read_picture(encoded(wide(mode), kind))
    image = loaded.image
    assert loaded.full == (8000, 6000)
    assert image.mode == "RGB"
    assert 0.99 * MAX_PIXELS < image.width * image.height <= MAX_PIXELS
    assert image.width / image.height == pytest.approx(4 / 3, rel=0.001)
    if mode == "1":
        return
    # As smooth as it was: no seam where strips meet.
    column = np.asarray(image, np.int16)[:, image.width // 2, 0]
    assert abs(np.diff(column)).max() <= 3
    assert column[0] < 5 and column[-1] > 250


def test_a_large_picture_that_lies_on_its_side_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = io.BytesIO()
    wide("RGB").save(data, "JPEG", exif=exif)
    loaded = read_picture(data.getvalue())
    assert loaded.full == (6000, 8000)
    assert loaded.image.height > loaded.image.width
    assert loaded.image.getpixel((loaded.image.width - 5, 9)) < (9, 9, 9)


def test_what_fits_is_not_made_smaller() -> None:
    loaded = read_picture(encoded(Image.new("RGB", (640, 480))))
    assert loaded.full is None
    assert loaded.image.size == (640, 480)


def test_a_very_large_jpeg_takes_little_memory() -> None:
    """The decoder gives a fraction of it: never all the pixels."""
    data = encoded(Image.linear_gradient("L").resize((16000, 10000)), "JPEG")
    loaded = read_picture(data)
    assert loaded.full == (16000, 10000)
    assert loaded.image.size == (8000, 5000)

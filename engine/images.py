"""Pictures in: decoded with limits, brought to the pixel grid of the model by us alone.

For models whose pictures lie on a grid the runtime never resamples: what already lies on it passes
through unchanged, so training and engine see the same pixels.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from engine.errors import ErrorCode, VisCodexError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
MAX_FILE_BYTES = 64_000_000
MAX_PIXELS = 40_000_000  # of a picture as it is worked with; larger ones are made smaller
MOST_PIXELS = 160_000_000  # of a picture that is decoded at all: 640 MB while it is read
STRIP, OVERLAP = 256, 4  # rows of what becomes of a picture that is made smaller
MIN_SIDE = 8
MAX_ASPECT = 40.0


@dataclass(frozen=True)
class ImageLimits:
    """How many picture tokens a model takes. A token is `factor` x `factor` pixels.

    With `longest` the runtime scales pictures itself, to a size of its own: then they only get at
    most that many pixels a side, and the rest does not say what they take.
    """

    factor: int = 28
    min_tokens: int = 16
    max_tokens: int = 576
    longest: int = 0


def _refuse(code: ErrorCode, message: str, advice: str) -> VisCodexError:
    return VisCodexError(code, message, advice)


def _read_bytes(source: Path | bytes) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        check_bytes(len(source))
        return source, "The picture"
    name = f"'{source.name}'"
    try:
        size = source.stat().st_size
        if source.is_dir():
            raise _refuse(ErrorCode.bad_input, f"{name} is a folder.", "Give a picture file.")
        check_bytes(size, name)
        return source.read_bytes(), name
    except FileNotFoundError:
        raise _refuse(ErrorCode.bad_input, f"There is no file {name}.", "Check the path.") from None
    except OSError as error:
        raise _refuse(
            ErrorCode.bad_input, f"{name} cannot be read: {error.strerror}.", "Check the file."
        ) from None


@dataclass(frozen=True)
class Loaded:
    """A picture, and its size before it was made smaller (None where it was not)."""

    image: Image.Image
    full: tuple[int, int] | None = None


def load_picture(source: Path | bytes) -> Image.Image:
    """The picture of `read_picture` alone."""
    return read_picture(source).image


def read_picture(source: Path | bytes) -> Loaded:
    """Decode a picture file or its bytes to RGB: EXIF orientation applied, alpha laid on white.

    PNG, JPEG, WebP, BMP and GIF (first frame). One of more than MAX_PIXELS is made smaller. Raises
    VisCodexError for everything else, for broken files and for sizes outside the limits, before
    the pixels are decoded where possible.
    """
    data, name = _read_bytes(source)
    if not data:
        raise _refuse(ErrorCode.unsupported_image, f"{name} is empty.", "Give a picture file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
        check_size(*picture.size, name)
        full, small = picture.size, _small_enough(*picture.size)
        if small != full:
            picture.draft(None, small)  # a JPEG is decoded at a fraction of its size
        picture.load()
        if small != full:
            picture = _shrunk(picture, small)  # the large one is free to go
        oriented = ImageOps.exif_transpose(picture)
    except (VisCodexError, MemoryError):  # the picture is not to blame for short memory
        raise
    except UnidentifiedImageError:
        raise _refuse(
            ErrorCode.unsupported_image,
            f"{name} is not a picture that can be read.",
            "Use PNG, JPEG, WebP, BMP or GIF.",
        ) from None
    except Image.DecompressionBombError:
        raise _refuse(
            ErrorCode.image_too_large, f"{name} has too many pixels.", "Crop or shrink it."
        ) from None
    except Exception as error:
        raise _refuse(
            ErrorCode.unsupported_image,
            f"{name} is damaged or incomplete.",
            "Save the picture again.",
        ) from error
    if small == full:
        return Loaded(_flatten(oriented))
    return Loaded(oriented, full if oriented.size == small else full[::-1])


def _small_enough(width: int, height: int) -> tuple[int, int]:
    """The size at which a picture is worked with."""
    scale = math.sqrt(MAX_PIXELS / (width * height))
    return (width, height) if scale >= 1 else (int(width * scale), int(height * scale))


def _shrunk(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture as RGB of another size; what tells of its orientation stays with it.

    Strip by strip, so that there is never a second picture of the full size. Strips overlap by
    what the filter looks at: no seam is left.
    """
    width, height = size
    scale = picture.height / height
    small = Image.new("RGB", size)
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        first, last = max(0, top - OVERLAP), min(height, bottom + OVERLAP)
        above, below = math.floor(first * scale), min(picture.height, math.ceil(last * scale))
        strip = _flatten(picture.crop((0, above, picture.width, below)))
        box = (0.0, first * scale - above, float(picture.width), last * scale - above)
        strip = strip.resize((width, last - first), Image.Resampling.BICUBIC, box)
        small.paste(strip.crop((0, top - first, width, bottom - first)), (0, top))
    small.info.update({name: picture.info[name] for name in ("exif",) if name in picture.info})
    return small


def check_bytes(size: int, name: str = "The picture") -> None:
    """Refuse files that are larger than any picture need be."""
    if size > MAX_FILE_BYTES:
        raise _refuse(
            ErrorCode.image_too_large,
            f"{name} has {size // 1_000_000} MB; the limit is {MAX_FILE_BYTES // 1_000_000}.",
            "Crop or shrink it.",
        )


def check_size(width: int, height: int, name: str = "The picture") -> None:
    """Refuse pictures with too many pixels, too few, or too long a side for its other."""
    if width * height > MOST_PIXELS:
        raise _refuse(
            ErrorCode.image_too_large,
            f"{name} has {width} x {height} pixels; "
            f"the limit is {MOST_PIXELS // 1_000_000} million.",
            "Crop or shrink it.",
        )
    if min(width, height) < MIN_SIDE:
        raise _refuse(
            ErrorCode.image_too_small,
            f"{name} is only {width} x {height} pixels; each side needs at least {MIN_SIDE}.",
            "Snip a larger region.",
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise _refuse(
            ErrorCode.image_too_narrow,
            f"{name} is {width} x {height} pixels, too narrow to read.",
            "Snip a region that is less long for its width.",
        )


def _flatten(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 or 32 bits a channel
        values = np.asarray(picture, np.float32)
        top = 65535.0 if picture.mode.startswith("I;16") or values.max() > 255 else 255.0
        grey = np.clip(np.round(values * (255.0 / top)), 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if "A" in picture.getbands() or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return picture.convert("RGB")


def grid_size(width: int, height: int, limits: ImageLimits) -> tuple[int, int]:
    """The size, a multiple of `factor` a side, at which a model is given a picture.

    Each side is rounded to the grid; where the token count then lies outside the limits both
    sides are scaled first, as in the `smart_resize` of Qwen2-VL. With `longest` there is no grid.
    """
    if limits.longest:
        scale = min(1.0, limits.longest / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))
    factor = limits.factor
    across = max(1, round(width / factor))
    down = max(1, round(height / factor))
    if across * down > limits.max_tokens:
        shrink = math.sqrt(width * height / (limits.max_tokens * factor * factor))
        across = max(1, math.floor(width / shrink / factor))
        down = max(1, math.floor(height / shrink / factor))
        # A side held up at one token can leave the other above the limit.
        across, down = min(across, limits.max_tokens // down), min(down, limits.max_tokens)
    elif across * down < limits.min_tokens:
        grow = math.sqrt(limits.min_tokens * factor * factor / (width * height))
        across = max(1, math.ceil(width * grow / factor))
        down = max(1, math.ceil(height * grow / factor))
    return across * factor, down * factor


def to_grid(image: Image.Image, limits: ImageLimits) -> Image.Image:
    """Resize to `grid_size`, bicubic; a picture that lies on the grid is returned as it is."""
    size = grid_size(image.width, image.height, limits)
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.BICUBIC)

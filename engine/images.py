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
MAX_PIXELS = 64_000_000
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


def load_picture(source: Path | bytes) -> Image.Image:
    """Decode a picture file or its bytes to RGB: EXIF orientation applied, alpha laid on white.

    PNG, JPEG, WebP, BMP and GIF (first frame). Raises VisCodexError for everything else, for
    broken files and for sizes outside the limits, before the pixels are decoded where possible.
    """
    data, name = _read_bytes(source)
    if not data:
        raise _refuse(ErrorCode.unsupported_image, f"{name} is empty.", "Give a picture file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        check_size(*picture.size, name)
        picture.load()
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
    return _flatten(oriented)


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
    if width * height > MAX_PIXELS:
        raise _refuse(
            ErrorCode.image_too_large,
            f"{name} has {width} x {height} pixels; "
            f"the limit is {MAX_PIXELS // 1_000_000} million.",
            "Crop or shrink it.",
        )
    if min(width, height) < MIN_SIDE:
        raise _refuse(
            ErrorCode.unsupported_image,
            f"{name} is only {width} x {height} pixels; each side needs at least {MIN_SIDE}.",
            "Snip a larger region.",
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise _refuse(
            ErrorCode.unsupported_image,
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

"""Read an image file of any size, bit depth and kind of colour."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from snn_synth.errors import InputError, brief

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"}
FOREIGN = {".heic", ".heif", ".avif", ".jxl"}  # of photographs too: reading one says what to do
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")  # of all that Pillow reads: EPS, say, would be run
MAX_PIXELS = 1 << 26  # of a file; a photograph has up to 60 million
MAX_BYTES = 1 << 30  # of all images of a set, in memory
MAX_SIDE = 4096  # to which images are resized


def read_image(
    path: str | Path, size: int | Sequence[int] | None = None, color: bool = False, pad: bool = False
) -> Tensor:
    """Read an image file (PNG, JPEG, TIFF, BMP, GIF, WebP) as grey or as colour; of several frames the first.

    A photograph is turned as its camera was held (EXIF), what is transparent is black, and 16 bits become 8.

    Args:
        path: the file.
        size: to which it is resized, a side or (height, width); as it is if not given.
        color: three channels, red, green and blue, or one.
        pad: how an image of another aspect ratio comes to ``size``: with black borders, or else cut at its centre.

    Returns:
        uint8 ``[H, W]``, or ``[3, H, W]`` in colour.

    Raises:
        InputError: the file is missing, no image, damaged, or too large; or ``size`` is no size.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "grey.png")
        >>> Image.new("L", (60, 40), 128).save(path)
        >>> read_image(path).shape, read_image(path, size=28, pad=True)[:, 14].unique().tolist()
        (torch.Size([40, 60]), [0, 128])
    """
    path = Path(path)
    height_width = check_size(size)
    if not path.is_file():
        raise InputError(f"Expected an image file, got none at {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that is a little off, and of sizes, which are checked here
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise InputError(f"Expected an image of at most {MAX_PIXELS:,} pixels, got {width} x {height}")
                if height_width is not None:  # a JPEG file is decoded no larger than needed
                    side = 4 * max(height_width)
                    image.draft("RGB" if color else "L", (side, side))
                ImageOps.exif_transpose(image, in_place=True)
                return image_pixels(image, height_width, color, pad)
    except InputError as error:
        raise InputError(f"{error}: {path}") from error
    except Exception as error:  # whatever a damaged file makes Pillow fail with
        kinds = ", ".join(FORMATS)
        raise InputError(f"Expected an image file ({kinds}), got {path} ({_reason(error)})") from error


def image_pixels(
    image: Image.Image, size: tuple[int, int] | None = None, color: bool = False, pad: bool = False
) -> Tensor:
    """An image of Pillow's as a tensor; arguments and result as of :func:`read_image`.

    Raises:
        InputError: for pixels that are floating-point numbers outside [0, 1], or whole ones of more than 16 bits.

    Example:
        >>> image_pixels(Image.new("RGB", (4, 2), "red"), color=True).tolist()[0]
        [[255, 255, 255, 255], [255, 255, 255, 255]]
    """
    image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    image = image.convert("RGB" if color else "L")
    if size is not None:
        fitted = ImageOps.pad if pad else ImageOps.fit
        image = fitted(image, size[::-1], method=Image.Resampling.BILINEAR)  # averages, where it makes smaller
    pixels = torch.from_numpy(np.array(image, dtype=np.uint8))
    return pixels.permute(2, 0, 1).contiguous() if color else pixels


def check_size(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Height and width that a ``size`` means.

    Raises:
        InputError: unless it is a whole number from 1 to MAX_SIDE, or two.

    Example:
        >>> check_size(32), check_size([24, 32]), check_size(None)
        ((32, 32), (24, 32), None)
    """
    if size is None:
        return None
    sides = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(sides) != 2 or not all(type(side) is int and 1 <= side <= MAX_SIDE for side in sides):
        raise InputError(f"Expected `size` as a side or [height, width] from 1 to {MAX_SIDE} pixels, got {size}")
    return sides[0], sides[1]


def check_memory(images: int, first: Tensor, own_size: bool) -> None:
    """Raise InputError if so many images, all as large as the first, would take more than MAX_BYTES."""
    if images * first.numel() > MAX_BYTES:
        advice = "set `size`" if own_size else "make `size` smaller"
        raise InputError(
            f"Expected images that take at most {MAX_BYTES:,} bytes, got {images} of {first.numel():,}: {advice}"
        )


def _eight_bits(image: Image.Image) -> Image.Image:
    """With 8 bits for each value, where there are more."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image).astype(np.float32)
    if image.mode == "F":
        largest = 1.0
    else:  # TIFF may say 12 bits, which lie in 16
        bits = image.tag_v2.get(258, (16,))[0] if hasattr(image, "tag_v2") else 16  # its BitsPerSample
        largest = 2.0 ** min(int(bits), 16) - 1
    if not (values.min() >= 0 and values.max() <= largest):  # nor NaN
        raise InputError(f"Expected pixels from 0 to {largest:g}, got {values.min():g} to {values.max():g}")
    return Image.fromarray((values * (255 / largest)).round().astype(np.uint8))


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "none of these: convert it"
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than {MAX_PIXELS:,} pixels"
    return brief(error)

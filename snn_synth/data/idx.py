"""IDX, the file format of MNIST and its relatives."""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from snn_synth.errors import InputError

MAX_BYTES = 800_000_000  # decompressed: EMNIST, the largest of the family, has 548 million
CHUNK = 1 << 20


def read_idx(path: Path, item: tuple[int, ...] | None = None) -> Tensor:
    """Read an IDX file of unsigned bytes, gzipped or raw.

    The header is big-endian: two zero bytes, the type (8: unsigned byte), how many dimensions, each of them. It is
    checked before the data are read, and no more is read than it says.

    Args:
        path: the file.
        item: the shape wanted of each item, such as (28, 28) of images and () of labels; None takes any.

    Returns:
        uint8 tensor of the shape that the header names.

    Raises:
        InputError: the file is not IDX, holds items of another shape, is cut short, or its gzip stream is damaged.
    """
    with _decompressed(path) as file:
        magic = file.read(4)
        if len(magic) < 4 or magic[:3] != b"\x00\x00\x08":
            raise InputError(f"Expected an IDX file of unsigned bytes (it starts with 00 00 08), got {path}")
        header = file.read(4 * magic[3])
        if len(header) < 4 * magic[3]:
            raise InputError(
                f"Expected an IDX header of {4 + 4 * magic[3]} bytes, got {4 + len(header)} bytes in {path}"
            )
        shape = struct.unpack(f">{magic[3]}I", header)
        if not shape or (item is not None and shape[1:] != item):
            wanted = "[N, ...]" if item is None else str(["N", *item]).replace("'", "")
            raise InputError(f"Expected items of shape {wanted}, got {_shown(shape)} in {path}")
        size = math.prod(shape)
        if size > MAX_BYTES:
            raise InputError(f"Expected at most {MAX_BYTES} bytes of data, got the shape {_shown(shape)} in {path}")
        data = torch.empty(size, dtype=torch.uint8)
        view = data.numpy().data
        have = 0
        while have < size and (count := file.readinto(view[have : have + CHUNK])):  # type: ignore[attr-defined]
            have += count
        if have < size or file.read(1):
            got = str(have) if have < size else f"more than {size}"
            raise InputError(f"Expected {size} bytes of data for shape {_shown(shape)}, got {got} in {path}")
    return data.reshape(shape)


def _shown(shape: tuple[int, ...]) -> str:
    return str(list(shape)) if len(shape) <= 8 else f"{len(shape)} dimensions"


@contextmanager
def _decompressed(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, without its gzip wrapper if it has one."""
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            yield gzip.GzipFile(fileobj=file) if zipped else file  # type: ignore[misc]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"Expected a whole gzip file, got {path} ({error})") from error
    except OSError as error:
        raise InputError(f"Expected a file that can be read, got {path} ({error.strerror or error})") from error


def content_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes without their gzip wrapper, in hex.

    Raises:
        InputError: the file cannot be read, or holds more than `MAX_BYTES`.
    """
    total, have = hashlib.sha256(), 0
    with _decompressed(path) as file:
        while chunk := file.read(CHUNK):
            total.update(chunk)
            have += len(chunk)
            if have > MAX_BYTES:
                raise InputError(f"Expected at most {MAX_BYTES} bytes, got more in {path}")
    return total.hexdigest()

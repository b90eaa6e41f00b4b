"""IDX, the file format of MNIST and its relatives."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from snn_synth.errors import InputError


def read_idx(path: Path) -> Tensor:
    """Read an IDX file of unsigned bytes, gzipped or raw.

    The header is big-endian: two zero bytes, the type (8: unsigned byte), how many dimensions, each of them.

    Returns:
        uint8 tensor of the shape that the header names.

    Raises:
        InputError: the file is not IDX, is cut short, or its gzip stream is damaged.
    """
    content = _decompressed(path)
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise InputError(f"Expected an IDX file of unsigned bytes (it starts with 00 00 08), got {path}")
    dimensions = content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise InputError(f"Expected an IDX header of {start} bytes, got {len(content)} bytes in {path}")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    size = int(np.prod(shape, dtype=np.int64))
    if len(content) - start != size:
        raise InputError(f"Expected {size} bytes of data for shape {list(shape)}, got {len(content) - start} in {path}")
    return torch.frombuffer(bytearray(content[start:]), dtype=torch.uint8).reshape(shape)


def _decompressed(path: Path) -> bytes:
    """The bytes of a file, without its gzip wrapper if it has one."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"Expected a whole gzip file, got {path} ({error})") from error
    except OSError as error:
        raise InputError(f"Expected a file that can be read, got {path} ({error.strerror or error})") from error


def content_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes without their gzip wrapper, in hex."""
    return hashlib.sha256(_decompressed(path)).hexdigest()

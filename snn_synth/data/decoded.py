"""The user's images, decoded once and kept on disk, from where every process maps them into its memory."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import PIL
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from snn_synth.data.root import cache_dir, not_a_folder
from snn_synth.errors import InputError
from snn_synth.files import atomic_write

FORMAT = 1  # raised when the same files come to other pixels
_IMAGES, _FILES = "images", "files"


def place(root: Path, *settings: Any) -> Path:
    """Where the images of a folder are kept, one file for each way to decode them: the newest takes the older's place.

    Example:
        >>> place(Path("/photos"), [32, 32], True) == place(Path("/photos"), [32, 32], False)
        False
    """
    key = hashlib.sha256(json.dumps([str(root.absolute()), *settings]).encode()).hexdigest()
    return not_a_folder(cache_dir() / "images" / f"{key}.safetensors")


def state(files: Iterable[Path]) -> str | None:
    """What changes when one of some files does: a hash of their paths, sizes and times; None if one cannot be found."""
    facts: list[Any] = [FORMAT, PIL.__version__]
    try:
        for file in files:
            found = file.stat()
            facts.append([str(file), found.st_size, found.st_mtime_ns, found.st_ctime_ns])
    except OSError:
        return None
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def stored(path: Path, files: str | None, count: int) -> Tensor | None:
    """So many images of files in that state, memory-mapped; None where there are none, or of another state."""
    try:
        with safe_open(path, framework="pt") as file:
            if file.metadata() != {_FILES: files}:
                return None
            images: Tensor = file.get_tensor(_IMAGES)
    except (SafetensorError, OSError):
        return None
    return images if images.dtype == torch.uint8 and len(images) == count else None


def store(path: Path, files: str | None, images: Tensor) -> None:
    """Keep the images of files in that state, where there is a place to write."""
    if files is not None:
        with contextlib.suppress(InputError, OSError, SafetensorError), atomic_write(path) as draft:
            save_file({_IMAGES: images}, draft, {_FILES: files})

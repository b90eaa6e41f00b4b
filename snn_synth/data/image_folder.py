"""A folder of images of the user's own, one folder in it for each class."""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from snn_synth.data.image_files import SUFFIXES, check_memory, check_size, read_image
from snn_synth.data.images import ImageDataset
from snn_synth.data.root import data_root
from snn_synth.errors import InputError

MAX_FILES = 1 << 20  # looked at
PARTS = ("train", "test")
IGNORED = {"__MACOSX", "Thumbs.db", "desktop.ini"}  # what systems leave in folders, beside hidden files


class ImageFolder(ImageDataset):
    """Images from files, `<root>/<class>/**/<any name>.png`, in memory: the folders' names are those of the classes.

    PNG, JPEG, TIFF, BMP, GIF (its first frame) and WebP, of any bit depth, as :func:`~snn_synth.data.read_image` reads
    them. Hidden files are let be, and so is every other file, with a warning. A root with the two folders `train` and
    `test`, each with the folders of the classes in it, has a split of its own.

    Args:
        root: the folder.
        size: to which all are resized, a side or [height, width]; not needed where all have one size.
        color: three channels instead of one.
        pad: images of another aspect ratio get black borders, instead of being cut at their centre.
        skip_unreadable: leave files out that cannot be read, with one warning that counts them.

    Attributes:
        files: path of each image, sorted by class and name.

    Raises:
        InputError: the folder is missing, has fewer than two classes, or a class without images; a file cannot be read;
            images differ in size and there is no ``size``; or all of them would take more than 1 GB.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> root = Path(tempfile.mkdtemp())
        >>> for name in ("circles", "squares"):
        ...     (root / name).mkdir()
        ...     Image.new("L", (60, 40)).save(root / name / "1.png")
        >>> shapes = ImageFolder(root, size=28)
        >>> len(shapes), shapes.names, shapes.image_shape
        (2, ('circles', 'squares'), (1, 28, 28))
    """

    def __init__(
        self,
        root: str | Path,
        size: int | Sequence[int] | None = None,
        color: bool = False,
        pad: bool = False,
        skip_unreadable: bool = False,
    ) -> None:
        height_width = check_size(size)
        root = data_root(root or ".")
        if not root.is_dir():
            raise InputError(f"Expected a folder of images, one folder in it for each class, got none at {root}")
        own_split = bool(_subfolders(root / PARTS[0])) and (root / PARTS[1]).is_dir()
        found = _both_parts(root) if own_split else [(path, name, "") for path, name in _of_classes(root)]
        names = sorted({name for _, name, _ in found})
        if len(names) < 2:
            raise InputError(f"Expected at least two classes, each a folder in {root}, got {names}")

        images: list[Tensor] = []
        kept: list[tuple[Path, str, str]] = []
        unreadable: list[InputError] = []
        for entry in found:
            try:
                image = read_image(entry[0], height_width, color, pad)
            except InputError as error:
                if not skip_unreadable:
                    raise
                unreadable.append(error)
                continue
            if not images:
                check_memory(len(found), image, own_size=height_width is None)
            elif image.shape != images[0].shape:
                raise InputError(
                    f"Expected images of one size, or `size` to resize them, got {_size(images[0])} in {kept[0][0]} "
                    f"and {_size(image)} in {entry[0]}"
                )
            images.append(image)
            kept.append(entry)
        if unreadable:
            warnings.warn(f"{len(unreadable)} files were left out, the first: {unreadable[0]}", stacklevel=2)
        for name in names:
            if not any(one == name and part != PARTS[1] for _, one, part in kept):
                raise InputError(f"Expected images of {name!r} to train with, got none that can be read in {root}")

        super().__init__(torch.stack(images), torch.tensor([names.index(name) for _, name, _ in kept]), names)
        self.files = [path for path, _, _ in kept]
        self._tests = torch.tensor([part == PARTS[1] for _, _, part in kept]) if own_split else None

    def official_split(self) -> tuple[Tensor, Tensor] | None:
        """What lies in `train` and what lies in `test`; None where there are no such folders."""
        if self._tests is None:
            return None
        return torch.nonzero(~self._tests).flatten(), torch.nonzero(self._tests).flatten()


def _both_parts(root: Path) -> list[tuple[Path, str, str]]:
    """Files, classes and parts of a folder with a split of its own."""
    others = [path.name for path in _listed(root) if path.is_dir() and path.name not in PARTS]
    if others:
        raise InputError(
            f"Expected no folder beside {' and '.join(PARTS)} in {root}, got {others[0]!r}: of the training images a "
            "part is held out to validate"
        )
    found = [(path, name, part) for part in PARTS for path, name in _of_classes(root / part)]
    if not any(part == PARTS[1] for _, _, part in found):
        raise InputError(f"Expected one folder for each class in {root / PARTS[1]}, got none")
    return found


def _of_classes(root: Path) -> list[tuple[Path, str]]:
    """Image files and their classes, sorted."""
    loose = [path for path in _listed(root) if _is_image(path) and not path.is_dir()]
    if loose:
        raise InputError(
            f"Expected images in folders that have the names of their classes, got {len(loose)} in {root} itself, "
            f"such as {loose[0].name}"
        )
    found: list[tuple[Path, str]] = []
    others: list[Path] = []
    for folder in _subfolders(root):
        before = len(found)
        for path in _files(folder):
            if _is_image(path):
                found.append((path, unicodedata.normalize("NFC", folder.name)))
            else:
                others.append(path)
            if len(found) + len(others) > MAX_FILES:
                raise InputError(f"Expected at most {MAX_FILES:,} files, got more in {root}")
        if len(found) == before:
            kinds = ", ".join(sorted(SUFFIXES))
            raise InputError(f"Expected images ({kinds}) in the folder of each class, got none in {folder}")
    if others:
        warnings.warn(
            f"{len(others)} files in {root} are no images by their names and were left out, such as {others[0]}",
            stacklevel=3,
        )
    return found


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _subfolders(root: Path) -> list[Path]:
    return [path for path in _listed(root) if path.is_dir()]


def _listed(folder: Path) -> list[Path]:
    """What lies in a folder, sorted; nothing where there is no folder."""
    try:
        return [folder / name for name in _shown(os.listdir(folder))] if folder.is_dir() else []
    except OSError as error:
        _refuse(error)


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder, in order. Links to folders are not followed: they may lead in a circle."""
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = _shown(folders)
        yield from (Path(place, name) for name in _shown(names))


def _shown(names: list[str]) -> list[str]:
    """Sorted, without hidden files and what systems leave in folders."""
    return sorted(name for name in names if not name.startswith(".") and name not in IGNORED)


def _refuse(error: OSError) -> NoReturn:
    raise InputError(f"Expected a folder that can be read, got {error.filename} ({error.strerror})") from error


def _size(image: Tensor) -> str:
    height, width = image.shape[-2:]
    return f"{height} x {width} pixels"

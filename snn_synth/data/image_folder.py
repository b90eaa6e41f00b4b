"""The user's images: a folder with one folder for each class, or of images alone."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from snn_synth.data import decoded
from snn_synth.data.class_folders import PARTS, ClassFile, class_files
from snn_synth.data.image_files import FOREIGN, SUFFIXES, check_memory, check_size, read_image
from snn_synth.data.images import ImageDataset
from snn_synth.data.root import data_root
from snn_synth.errors import InputError, counted

TEST = PARTS[1]
WORTH_KEEPING = 1.0  # seconds of decoding, from which on the images are kept for the next start


class ImageFolder(ImageDataset):
    """Images from files, `<root>/<class>/**/<any name>.png`: the folders' names are those of the classes.

    Images that need no classes may lie in the root itself, `<root>/<any name>.png`: they are one class of its name.

    They are decoded once, up to 1 GB of pixels. Where that takes over a second they are kept in the cache until a file
    changes, and every process maps them from there (but not where some of the files cannot be read).

    PNG, JPEG, TIFF, BMP, GIF (its first frame) and WebP, of any bit depth, as :func:`~snn_synth.data.read_image` reads
    them. Hidden files are ignored, other files too, with a warning. A root with the two folders `train` and
    `test`, each with the folders of the classes in it (or both with images alone), has a split of its own.

    Args:
        root: the folder.
        size: to which all are resized, a side or [height, width]; not needed where all have one size.
        color: three channels instead of one.
        pad: images of another aspect ratio get black borders, instead of being cut at their centre.
        skip_unreadable: leave files out that cannot be read, with one warning that counts them.

    Attributes:
        files: path of each image, sorted by class and name.

    Raises:
        InputError: the folder is missing, has no images, a class without images, or images beside classes; a file
            cannot be read; images differ in size and there is no ``size``; or all of them would take more than 1 GB.

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
        found = class_files(root, SUFFIXES | FOREIGN, "images", one_class=True)
        names = sorted({file.name for file in found})
        where, now = decoded.place(root, height_width, color, pad), decoded.state(file.path for file in found)
        images, kept = decoded.stored(where, now, len(found)), found
        if images is None:
            began = perf_counter()
            images, kept = _decoded(found, height_width, color, pad, skip_unreadable)
            if len(kept) == len(found) and perf_counter() - began > WORTH_KEEPING:
                decoded.store(where, now, images)
        trained = {file.name for file in kept if file.part != TEST}
        for name in names:
            if name not in trained:
                raise InputError(f"Expected images of {name!r} to train with, got none that can be read in {root}")

        places = {name: place for place, name in enumerate(names)}
        super().__init__(images, torch.tensor([places[file.name] for file in kept]), names)
        self.files = [file.path for file in kept]
        self._parts = [file.part for file in kept]

    def official_split(self) -> tuple[Tensor, Tensor] | None:
        """What lies in `train` and what lies in `test`; None where there are no such folders."""
        test = torch.tensor([part == TEST for part in self._parts])
        return (torch.nonzero(~test).flatten(), torch.nonzero(test).flatten()) if self._parts[0] else None


def _decoded(
    found: Sequence[ClassFile], size: tuple[int, int] | None, color: bool, pad: bool, skip_unreadable: bool
) -> tuple[Tensor, list[ClassFile]]:
    """The images of all files that can be read, and those files."""
    images: list[Tensor] = []
    kept: list[ClassFile] = []
    unreadable: list[InputError] = []
    for file in found:
        try:
            image = read_image(file.path, size, color, pad)
        except InputError as error:
            if not skip_unreadable:
                raise InputError(
                    f"{error}: repair it, or leave out such files by skip_unreadable=True (on the command "
                    "line --data.images.skip_unreadable true)"
                ) from error
            unreadable.append(error)
            continue
        if not images:
            check_memory(len(found), image, own_size=size is None)
        elif image.shape != images[0].shape:
            raise InputError(
                f"Expected images of one size, or `size` to resize them, got {_size(images[0])} in {kept[0].path} "
                f"and {_size(image)} in {file.path}"
            )
        images.append(image)
        kept.append(file)
    if unreadable:
        warnings.warn(f"Left out {counted(unreadable, 'file')}, the first: {unreadable[0]}", stacklevel=3)
    return torch.stack(images), kept


def _size(image: Tensor) -> str:
    height, width = image.shape[-2:]
    return f"{height} x {width} pixels"

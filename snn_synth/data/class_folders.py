"""Folders whose names are classes: `<root>/<class>/**/<any name>`."""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

from snn_synth.errors import InputError

MAX_FILES = 1 << 20  # looked at
PARTS = ("train", "test")
IGNORED = {"__MACOSX", "Thumbs.db", "desktop.ini"}  # what systems leave in folders, beside hidden files


class ClassFile(NamedTuple):
    """A file of a class."""

    path: Path
    name: str
    """Of the class."""
    part: str
    """`train` or `test`; empty where the root has no such folders."""
    inside: tuple[str, ...]
    """Folders between that of the class and the file."""


def class_files(root: Path, suffixes: Collection[str], kind: str) -> list[ClassFile]:
    """The files of every class, sorted by part, class and path.

    A root with the two folders `train` and `test`, each with the folders of the classes in it, has a split of its own.
    Hidden files are ignored. So are files of another suffix, with a warning.

    Args:
        root: the folder.
        suffixes: of the files that are meant, in lower case.
        kind: what they are, for messages: "images", "sounds".

    Raises:
        InputError: the folder is missing or cannot be read, has no classes, or a class without files; files lie beside
            the classes; there are over a million.
    """
    if not root.is_dir():
        raise InputError(f"Expected a folder of {kind}, one folder in it for each class, got none at {root}")
    if not (_subfolders(root / PARTS[0]) and (root / PARTS[1]).is_dir()):
        return list(_of_classes(root, "", suffixes, kind))
    others = [path.name for path in _subfolders(root) if path.name not in PARTS]
    if others:
        raise InputError(
            f"Expected no folder beside {' and '.join(PARTS)} in {root}, got {others[0]!r}: a part of the training "
            f"{kind} is held out to validate"
        )
    return [file for part in PARTS for file in _of_classes(root / part, part, suffixes, kind)]


def _of_classes(root: Path, part: str, suffixes: Collection[str], kind: str) -> list[ClassFile]:
    loose = [path for path in _listed(root) if path.suffix.lower() in suffixes and not path.is_dir()]
    if loose:
        raise InputError(
            f"Expected {kind} in folders that have the names of their classes, got {len(loose)} in {root} itself, "
            f"such as {loose[0].name}"
        )
    found: list[ClassFile] = []
    others: list[Path] = []
    for folder in _subfolders(root):
        name, before = unicodedata.normalize("NFC", folder.name), len(found)
        for path in _files(folder):
            if path.suffix.lower() in suffixes:
                found.append(ClassFile(path, name, part, path.relative_to(folder).parts[:-1]))
            else:
                others.append(path)
            if len(found) + len(others) > MAX_FILES:
                raise InputError(f"Expected at most {MAX_FILES:,} files, got more in {root}")
        if len(found) == before:
            kinds = ", ".join(sorted(suffixes))
            raise InputError(f"Expected {kind} ({kinds}) in the folder of each class, got none in {folder}")
    if not found:
        raise InputError(f"Expected a folder of {kind} for each class in {root}, got no folder there")
    if others:
        warnings.warn(
            f"{len(others)} files in {root} are no {kind} by their names and were left out, such as {others[0]}",
            stacklevel=3,
        )
    return found


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

"""Folders whose names are classes: `<root>/<class>/**/<any name>`."""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, NoReturn

from snn_synth.errors import InputError, counted

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


def class_files(root: Path, suffixes: Collection[str], kind: str, one_class: bool = False) -> list[ClassFile]:
    """The files of every class, sorted by part, class and path.

    A root with the two folders `train` and `test`, each with the folders of the classes in it, has a split of its own.
    Hidden files are ignored. So are files of another suffix, with a warning.

    Args:
        root: the folder.
        suffixes: of the files that are meant, in lower case.
        kind: what they are, for messages: "images", "sounds".
        one_class: files that lie in the root itself, without folders beside them, are one class of the root's name; its
            folders `train` and `test` may hold files alone, too.

    Raises:
        InputError: the folder is missing or cannot be read, has no classes, or a class without files; files lie beside
            the classes; there are over a million.
    """
    if not root.is_dir():
        raise InputError(f"Expected a folder of {kind}, one folder in it for each class, got none at {root}")
    parts, inside = [root / part for part in PARTS], _subfolders(root)
    if one_class and _is_flat(root, suffixes):
        return _of_folders({root: root.resolve().name}, root, "", suffixes, kind)
    if one_class and sorted(inside) == sorted(parts) and all(_is_flat(part, suffixes) for part in parts):
        name = root.resolve().name
        return [file for part in parts for file in _of_folders({part: name}, part, part.name, suffixes, kind)]
    if not (_subfolders(parts[0]) and parts[1].is_dir()):
        return _of_classes(root, "", suffixes, kind)
    others = [path.name for path in inside if path.name not in PARTS]
    if others:
        raise InputError(
            f"Expected no folder beside {' and '.join(PARTS)} in {root}, got {others[0]!r}: a part of the training "
            f"{kind} is held out to validate"
        )
    return [file for part in parts for file in _of_classes(part, part.name, suffixes, kind)]


def _is_flat(folder: Path, suffixes: Collection[str]) -> bool:
    """Whether files that are meant lie in a folder itself, and no folder beside them."""
    return bool(_loose(folder, suffixes)) and not _subfolders(folder)


def _loose(folder: Path, suffixes: Collection[str]) -> list[Path]:
    return [path for path in _listed(folder) if path.suffix.lower() in suffixes and not path.is_dir()]


def _of_classes(root: Path, part: str, suffixes: Collection[str], kind: str) -> list[ClassFile]:
    loose = _loose(root, suffixes)
    if loose:
        raise InputError(
            f"Expected {kind} in folders that have the names of their classes, got {len(loose)} in {root} itself, "
            f"such as {loose[0].name}"
        )
    return _of_folders({folder: folder.name for folder in _subfolders(root)}, root, part, suffixes, kind)


def _of_folders(
    classes: Mapping[Path, str], root: Path, part: str, suffixes: Collection[str], kind: str
) -> list[ClassFile]:
    """The files in the folders of the classes, all of them in ``root``."""
    found: list[ClassFile] = []
    others: list[Path] = []
    for folder, given in classes.items():
        name, before = unicodedata.normalize("NFC", given), len(found)
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
            f"Left out {counted(others, 'file')} in {root} without the suffix of {kind}, such as {others[0]}",
            stacklevel=4,
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

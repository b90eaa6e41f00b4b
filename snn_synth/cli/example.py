"""``snn-synth example``: images, or spoken words and images of them, to train on."""

from collections.abc import Mapping
from pathlib import Path

from snn_synth.cli.parsers import PARSERS
from snn_synth.errors import InputError, counted
from snn_synth.experiments.example_images import example_images
from snn_synth.experiments.example_words import example_words
from snn_synth.files import atomic_write

EXAMPLES = {"images": example_images, "words": example_words}


def run(argv: list[str]) -> None:
    """Write the files into a folder of their own; nothing is written before all have been made."""
    arguments = PARSERS["example"]().parse_args(argv[1:])
    folder = arguments.folder
    if folder.exists() and not folder.is_dir():
        raise InputError(f"Expected a folder for the example, got the file {folder}")
    files = EXAMPLES[arguments.what]()
    other = first_other(folder, files)
    if other is not None:
        raise InputError(f"Expected a new folder, got {folder}, which has {other}: give another one")
    for path, content in files.items():
        with atomic_write(folder / path) as draft:
            draft.write_bytes(content)
    print(f"Wrote {counted(files, 'file')} into {folder}")


def first_other(folder: Path, files: Mapping[str, bytes]) -> str | None:
    """A file of a folder that is none of these; None if there is no other, so that the same command may be given again.

    Args:
        folder: which need not be there.
        files: contents by their paths in it.

    Example:
        >>> first_other(Path("not there"), {"tom.png": b""}) is None
        True
    """
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and (name not in files or path.read_bytes() != files[name]):
            return name
    return None

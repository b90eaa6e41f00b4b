"""The user's recordings: one folder for each word, or a list of files."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from snn_synth.data.class_folders import class_files
from snn_synth.data.frontends.base import check_whole
from snn_synth.data.manifest import SPLITS, Row, read_manifest
from snn_synth.data.root import data_root
from snn_synth.data.sound_files import FOREIGN_NAMES
from snn_synth.data.spoken_words import Recordings, count_takes, readable
from snn_synth.errors import InputError

# What phones record and cannot be read is meant, too: reading it says how to convert it.
SUFFIXES = FOREIGN_NAMES | {
    *(
        ".aif",
        ".aifc",
        ".aiff",
        ".au",
        ".caf",
        ".flac",
        ".mp3",
        ".nist",
        ".oga",
        ".ogg",
        ".snd",
        ".sph",
        ".w64",
        ".wav",
    ),
}


class AudioFolder(Recordings):
    """Your own recordings of your own words, at any rate and of any length.

    Either a folder with a folder for each word: `<root>/<word>/<any name>.wav`; where it is known who speaks,
    `<root>/<word>/<speaker>/<any name>.wav`; with a split of your own, `<root>/{train,test}/<word>/...`. Or a manifest,
    a CSV or JSONL file as :func:`~snn_synth.data.read_manifest` reads it, with the columns `path` and `label`, and if
    known `speaker` and `split`.

    Args:
        root: the folder or the manifest.
        sample_rate: to which all are resampled, in Hz.
        skip_unreadable: leave files out that cannot be read or are silent, with one warning that counts them; else the
            first of them is named and refused once it is read.

    Attributes:
        names: the words, sorted.
        files: path of each recording.

    Raises:
        InputError: there is neither a folder nor a manifest, fewer than two words, or a word without recordings.

    Example:
        >>> import tempfile, numpy, soundfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for word in ("cat", "dog"):
        ...     (root / word).mkdir()
        ...     soundfile.write(root / word / "1.wav", numpy.sin(numpy.arange(4000) / 4), 8000)
        >>> corpus = AudioFolder(root)
        >>> corpus.names, corpus.labels.tolist(), len(corpus[0][0])
        (('cat', 'dog'), [0, 1], 8000)
    """

    def __init__(self, root: str | Path, sample_rate: int = 16000, skip_unreadable: bool = False) -> None:
        check_whole(1, 384_000, sample_rate=sample_rate)
        root = data_root(root or ".")
        if not root.exists():
            raise InputError(
                f"Expected a folder of sounds, one folder in it for each word, or a manifest, got no {root}"
            )
        rows = _in_folders(root) if root.is_dir() else read_manifest(root)
        self.names = tuple(sorted({row.label for row in rows}))
        if len(self.names) < 2:
            raise InputError(f"Expected at least two words, got only {self.names[0]!r} in {root}")
        if skip_unreadable:
            kept = readable([row.path for row in rows])
            rows = [row for row in rows if row.path in kept]
        trained = {row.label for row in rows if row.split != SPLITS[1]}
        for name in self.names:
            if name not in trained:
                raise InputError(f"Expected recordings of {name!r} to train with, got none that can be read in {root}")
        places = {name: place for place, name in enumerate(self.names)}
        labels = [places[row.label] for row in rows]
        super().__init__(
            root if root.is_dir() else root.parent,
            files=[row.path for row in rows],
            labels=labels,
            speakers=[row.speaker for row in rows],
            takes=count_takes([(row.speaker, label) for row, label in zip(rows, labels, strict=True)]),
            test=[row.split == SPLITS[1] for row in rows] if rows[0].split else None,
            sample_rate=sample_rate,
        )


def _in_folders(root: Path) -> list[Row]:
    found = class_files(root, SUFFIXES, "sounds")
    return [
        Row(file.path, file.name, unicodedata.normalize("NFC", "".join(file.inside[:1])), file.part) for file in found
    ]

"""The digits of Google's Speech Commands, version 2: 38,908 recordings at 16 kHz by thousands of speakers."""

from __future__ import annotations

import re
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from snn_synth.data.download import fetch
from snn_synth.data.root import data_root
from snn_synth.data.spoken_digits import DIGIT_WORDS, SpokenDigits
from snn_synth.data.spoken_words import Recordings, readable
from snn_synth.errors import InputError
from snn_synth.files import atomic_write

URLS = (
    "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
    "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
)
SHA256 = "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"  # torchaudio's and TensorFlow Datasets'
MAX_BYTES = 5 << 29  # the archive has 2,428,923,189
MAX_FILE = 1 << 20  # a recording has 32,044, a list some 400,000
PLACES = ("speech_commands", "speech_commands_v0.02", "SpeechCommands/speech_commands_v0.02")
NAME = re.compile(r"([0-9a-f]{8})_nohash_([0-9]+)\.wav")
TESTS, VALIDATION = "testing_list.txt", "validation_list.txt"


class SpeechCommands(Recordings, SpokenDigits):
    """The ten digits of Speech Commands, files `<root>/speech_commands/{word}/{speaker}_nohash_{take}.wav`.

    The corpus's own split is the published one, in which no speaker is on both sides: `testing_list.txt` is the test,
    and what is in neither list trains, with what is in `validation_list.txt`.

    Args:
        root: data folder; None means `$SNN_SYNTH_DATA`, else the cache.
        download: fetch version 0.02 (2.4 GB) where the folder is not there, and keep its digits.
        skip_unreadable: read all of it once, and leave out what is silent; else a silent recording is named and refused
            once it is read.

    Raises:
        InputError: recordings are missing and cannot be had.

    Source: Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, 2018 (arXiv:1804.03209),
        CC BY 4.0.

    Example:
        >>> import tempfile, numpy, soundfile
        >>> root = Path(tempfile.mkdtemp())
        >>> folder = root / "speech_commands"
        >>> for word in DIGIT_WORDS:
        ...     (folder / word).mkdir(parents=True)
        ...     soundfile.write(folder / word / "0a2b400e_nohash_0.wav", numpy.sin(numpy.arange(9000) / 4), 16000)
        >>> _ = (folder / "testing_list.txt").write_text("three/0a2b400e_nohash_0.wav")
        >>> corpus = SpeechCommands(root)
        >>> len(corpus), corpus.labels[corpus.official_test_mask].tolist()
        (10, [3])
    """

    def __init__(self, root: str | Path | None = None, download: bool = True, skip_unreadable: bool = False) -> None:
        places = [data_root(root) / place for place in PLACES]
        folder = next((place for place in places if (place / TESTS).is_file()), places[0])
        if not (folder / TESTS).is_file():
            if not download:
                raise InputError(
                    f"Expected Speech Commands ({TESTS}, zero/, one/, ...) in {folder}, not there: unpack {URLS[0]} "
                    "there, set SNN_SYNTH_DATA to a folder that has speech_commands, or let it download (download=True)"
                )
            _download(folder)
        tests = _listed(folder / TESTS)
        found = sorted(
            (match[1], digit, int(match[2]), path)
            for digit, word in enumerate(DIGIT_WORDS)
            for path in _files(folder / word)
            if (match := NAME.fullmatch(path.name))
        )
        if skip_unreadable:
            kept = readable([path for *_, path in found])
            found = [one for one in found if one[3] in kept]
        for digit, word in enumerate(DIGIT_WORDS):
            if not any(one[1] == digit for one in found):
                raise InputError(f"Expected recordings such as {word}/0a2b400e_nohash_0.wav in {folder}, found none")
        super().__init__(
            folder,
            files=[path for *_, path in found],
            labels=[digit for _, digit, _, _ in found],
            speakers=[speaker for speaker, *_ in found],
            takes=[take for _, _, take, _ in found],
            test=[f"{path.parent.name}/{path.name}" in tests for *_, path in found],
            sample_rate=16000,
        )


def _files(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _listed(path: Path) -> set[str]:
    """Files that a list names, `word/name.wav`."""
    try:
        with path.open("rb") as file:
            return set(file.read(MAX_FILE).decode(errors="replace").split())
    except OSError as error:
        raise InputError(f"Expected a list that can be read, got {path} ({error.strerror})") from error


def _download(folder: Path) -> None:
    """Fetch the archive, check it, and unpack its digits and lists, all of them or none."""
    archive = fetch(URLS, folder.parent / "speech_commands_v0.02.tar.gz", SHA256, max_bytes=MAX_BYTES)
    wanted = {*DIGIT_WORDS, TESTS, VALIDATION, "LICENSE", "README.md"}
    try:
        with atomic_write(folder) as temporary, tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                parts = PurePosixPath(member.name).parts
                digit = len(parts) == 2 and NAME.fullmatch(parts[1])
                if member.isfile() and parts[0] in wanted and (digit or len(parts) == 1) and member.size <= MAX_FILE:
                    file = tar.extractfile(member)
                    assert file is not None  # only members that are no regular file have none
                    (temporary / parts[0] if digit else temporary).mkdir(parents=True, exist_ok=True)
                    temporary.joinpath(*parts).write_bytes(file.read())
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise InputError(f"Expected a tar archive, got {archive} ({error})") from error
    archive.unlink()

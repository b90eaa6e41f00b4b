"""The Free Spoken Digit Dataset: 3,000 recordings at 8 kHz, 6 speakers x 10 digits x 50 takes."""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from snn_synth.data.download import fetch
from snn_synth.data.root import data_root
from snn_synth.data.spoken_digits import SpokenDigits
from snn_synth.data.spoken_words import Recordings
from snn_synth.errors import InputError
from snn_synth.files import atomic_write

URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz"
SHA256 = "45a9b976ba3397a2fd5c70a9f2e43c34f442a3a6be47392ecfc41174b678f37e"  # of archive_sha256
TEST_TAKES = 5  # the official split: takes 0 to 4 are for test
SPEAKERS = {"george", "jackson", "lucas", "nicolas", "theo", "yweweler"}
TAKES = 50
NAME = re.compile(r"([0-9])_(.+)_([0-9]+)\.wav", re.IGNORECASE)
MAX_BYTES = 1 << 28  # of the unpacked archive, whose recordings have 21 million


class FSDD(Recordings, SpokenDigits):
    """The Free Spoken Digit Dataset, files `<root>/fsdd/recordings/{digit}_{speaker}_{take}.wav`.

    Your own recordings may lie beside them under any other name of a speaker (`3_Anna-Marie2_07.WAV`), at any rate, as
    many as there are; of the corpus's own six speakers, each must say every digit equally often.

    Args:
        root: data folder; None means `$SNN_SYNTH_DATA`, else the cache.
        download: fetch the archive of release 1.0.10 where the folder is not there.

    Attributes:
        official_test_mask: bool `[N]`, takes 0 to 4 of each speaker and digit.

    Raises:
        InputError: recordings are missing and cannot be had.

    Source: Jackson et al., Free Spoken Digit Dataset, CC BY-SA 4.0.

    Example:
        >>> import tempfile, numpy, soundfile
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "fsdd" / "recordings").mkdir(parents=True)
        >>> for name in ("3_ann_0.wav", "7_ann_5.wav"):
        ...     soundfile.write(root / "fsdd" / "recordings" / name, numpy.sin(numpy.arange(4000) / 4), 8000)
        >>> corpus = FSDD(root)
        >>> corpus.labels.tolist(), corpus.speakers, corpus.official_test_mask.tolist()
        ([3, 7], ['ann', 'ann'], [True, False])
    """

    def __init__(self, root: str | Path | None = None, download: bool = True) -> None:
        folder = data_root(root) / "fsdd" / "recordings"
        if not folder.is_dir():
            if not download:
                raise InputError(
                    f"Expected FSDD's recordings (0_george_0.wav, ...) in {folder}, not there: set "
                    "SNN_SYNTH_DATA to a folder that has fsdd/recordings, or let it download (download=True)"
                )
            _download(folder)
        found = sorted((key, path) for path in _files(folder) if (key := _parse(path.name)))
        if not found:
            raise InputError(f"Expected recordings named {{digit}}_{{speaker}}_{{take}}.wav, found none in {folder}")
        super().__init__(
            folder,
            files=[path for _, path in found],
            labels=[digit for (digit, _, _), _ in found],
            speakers=[speaker for (_, speaker, _), _ in found],
            takes=[take for (_, _, take), _ in found],
            test=[take < TEST_TAKES for (_, _, take), _ in found],
            sample_rate=8000,
        )
        self._check_complete()

    def _check_complete(self) -> None:
        """Name the first recording of the corpus that is missing."""
        have = set(zip(self.labels.tolist(), self.speakers, self.takes, strict=True))
        ours = [(speaker, take) for _, speaker, take in have if speaker in SPEAKERS and take < TAKES]
        for speaker in sorted({speaker for speaker, _ in ours}):
            for digit in range(10):
                for take in range(max(take for _, take in ours) + 1):
                    if (digit, speaker, take) not in have:
                        raise InputError(
                            f"Expected {digit}_{speaker}_{take}.wav in {self.folder}, where it is not: copy it from "
                            f"release v1.0.10 ({URL}), or name another folder (root, SNN_SYNTH_DATA), and FSDD "
                            "downloads the whole corpus there"
                        )


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError as error:
        raise InputError(f"Expected a folder that can be read, got {folder} ({error.strerror})") from error


def _parse(name: str) -> tuple[int, str, int] | None:
    match = NAME.fullmatch(name)
    return (int(match[1]), match[2], int(match[3])) if match else None


def _download(folder: Path) -> None:
    """Fetch the archive, check it, and unpack its recordings, all of them or none."""
    archive = folder.parent / "v1.0.10.tar.gz"
    fetch([URL], archive, SHA256, digest=archive_sha256)
    with atomic_write(folder) as temporary:
        temporary.mkdir()
        for name, content in _recordings(archive):
            (temporary / name).write_bytes(content)
    archive.unlink()


def archive_sha256(archive: Path) -> str:
    """SHA-256 over (name, bytes) of the recordings in an archive, sorted by name, whatever the wrapping."""
    total = hashlib.sha256()
    for name, content in sorted(_recordings(archive)):
        total.update(name.encode())
        total.update(content)
    return total.hexdigest()


def _recordings(archive: Path) -> list[tuple[str, bytes]]:
    """Names and bytes of the members `*/recordings/{digit}_{speaker}_{take}.wav`; paths are ignored."""
    try:
        with (
            gzip.open(archive) as unpacked,
            tarfile.open(fileobj=_Bounded(unpacked), mode="r|") as tar,  # type: ignore[call-overload]
        ):
            found = []
            for member in tar:
                path = PurePosixPath(member.name)
                if member.isfile() and path.parent.name == "recordings" and NAME.fullmatch(path.name):
                    file = tar.extractfile(member)
                    assert file is not None  # only members that are no regular file have none
                    found.append((path.name, file.read()))
            return found
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise InputError(f"Expected a tar archive, got {archive} ({error})") from error


class _Bounded:
    """A stream that ends in an error after MAX_BYTES, whatever the sizes in an archive's headers say."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self.stream, self.left = stream, MAX_BYTES

    def read(self, size: int) -> bytes:
        self.left -= size
        if self.left < 0:
            raise tarfile.ReadError(f"it unpacks to more than {MAX_BYTES} bytes")
        return self.stream.read(size)

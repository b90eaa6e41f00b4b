"""The Free Spoken Digit Dataset: 3,000 recordings at 8 kHz, 6 speakers x 10 digits x 50 takes."""

from __future__ import annotations

import hashlib
import re
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from snn_synth.data.download import fetch
from snn_synth.data.root import data_root
from snn_synth.data.spoken_digits import Recordings
from snn_synth.errors import InputError
from snn_synth.files import atomic_write

URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz"
SHA256 = "45a9b976ba3397a2fd5c70a9f2e43c34f442a3a6be47392ecfc41174b678f37e"  # of archive_sha256
TEST_TAKES = 5  # the official split: takes 0 to 4 are for test
NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")


class FSDD(Recordings):
    """The Free Spoken Digit Dataset, files `<root>/fsdd/recordings/{digit}_{speaker}_{take}.wav`.

    Args:
        root: data folder; None means `$SNN_SYNTH_DATA`, else the cache.
        download: fetch the archive of release 1.0.10 where the folder is not there.

    Attributes:
        official_test_mask: bool `[N]`, takes 0 to 4 of each speaker and digit.

    Raises:
        InputError: recordings are missing and cannot be had.

    Source: Jackson et al., Free Spoken Digit Dataset, CC BY-SA 4.0.
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
        found = sorted((match, path) for path in folder.iterdir() if (match := _parse(path.name)))
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
        """Every speaker says every digit equally often: name the first file that breaks this."""
        have = set(zip(self.labels.tolist(), self.speakers, self.takes, strict=True))
        for speaker in sorted(set(self.speakers)):
            for digit in range(10):
                for take in range(max(self.takes) + 1):
                    if (digit, speaker, take) not in have:
                        raise InputError(
                            f"Expected {digit}_{speaker}_{take}.wav in {self.folder}, where it is not: "
                            "remove the folder and let FSDD download it, or copy the file from v1.0.10"
                        )


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
        with tarfile.open(archive) as tar:
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

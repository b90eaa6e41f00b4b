"""Fetch one file: mirrors in turn, resume, hash check, atomic rename."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from snn_synth.data.root import make_folder
from snn_synth.errors import InputError
from snn_synth.files import locked

CHUNK = 1 << 16
MAX_BYTES = 1 << 30


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(
    urls: Sequence[str],
    destination: Path,
    sha256: str | None,
    *,
    digest: Callable[[Path], str] = file_sha256,
    progress: bool = True,
    timeout: float = 30.0,
    max_bytes: int = MAX_BYTES,
) -> Path:
    """Download `destination` from the first mirror that gives the expected bytes.

    The bytes go to `<destination>.part`; a later call resumes it. What fails its hash is thrown away. Of several
    processes that want the same file, one downloads it and the others wait.

    Args:
        urls: mirrors, tried in turn.
        destination: the file to make; its folder is created.
        sha256: expected hash, or None to take the file as it comes.
        digest: how to hash the downloaded file (mirrors may wrap the same content in different gzip headers).
        progress: show a progress bar.
        timeout: seconds to wait for a silent mirror.
        max_bytes: a mirror that sends more is given up.

    Returns:
        `destination`.

    Raises:
        InputError: no mirror gave the file, the folder cannot be written to, or the disk is full.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "mirror.txt").write_text("hello")
        >>> urls = [(folder / "not-there.txt").as_uri(), (folder / "mirror.txt").as_uri()]
        >>> fetch(urls, folder / "data" / "mine.txt", file_sha256(folder / "mirror.txt"), progress=False).read_text()
        'hello'
    """
    try:
        make_folder(destination.parent)
    except InputError as error:
        raise InputError(
            f"Expected {destination.name} in {destination.parent}, where it is not, "
            f"and it cannot be downloaded there: {error}; "
            "set SNN_SYNTH_DATA to a folder that has it, or to one that can be written to"
        ) from error
    lock = destination.with_name(f".{destination.name}.lock")
    try:
        with locked(lock):
            try:
                if not destination.is_file():  # another process may have got it meanwhile
                    _from_a_mirror(urls, destination, sha256, digest, progress, timeout, max_bytes)
            finally:
                lock.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"Expected to write {destination}, got {error.strerror or error}") from error
    return destination


def _from_a_mirror(
    urls: Sequence[str],
    destination: Path,
    sha256: str | None,
    digest: Callable[[Path], str],
    progress: bool,
    timeout: float,
    max_bytes: int,
) -> None:
    part = destination.with_name(destination.name + ".part")
    failures = []
    for url in urls:
        # A part file may stem from another mirror: if it grows into the wrong bytes, start afresh once.
        for _ in range(2 if part.exists() else 1):
            failure = _try_mirror(url, part, sha256, digest, progress, timeout, max_bytes)
            if failure is None:
                os.replace(part, destination)
                return
            if part.exists():
                break
        failures.append(f"{url} ({failure})")
    raise InputError(
        f"Expected {destination.name} in {destination.parent}, where it is not, and no mirror gave it: "
        f"{'; '.join(failures)}; download it by hand and put it at {destination}, "
        "or set SNN_SYNTH_DATA to a folder that has it"
    )


def _try_mirror(
    url: str,
    part: Path,
    sha256: str | None,
    digest: Callable[[Path], str],
    progress: bool,
    timeout: float,
    max_bytes: int,
) -> str | None:
    """Complete `part` from one mirror; None when it holds the expected bytes, else why not."""
    try:
        _transfer(url, part, progress, timeout, max_bytes)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # our part is longer than the file
            part.unlink(missing_ok=True)
        return f"HTTP {error.code}"
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        return " ".join(str(getattr(error, "reason", error)).split())
    if part.stat().st_size > max_bytes:
        part.unlink()
        return f"more than {max_bytes} bytes"
    if sha256 is None:
        return None
    try:
        found = digest(part)
    except InputError as error:
        found = str(error)
    if found == sha256:
        return None
    part.unlink(missing_ok=True)  # another process may be at it, where there are no locks
    return f"expected SHA-256 {sha256}, got {found}"


def _transfer(url: str, part: Path, progress: bool, timeout: float, max_bytes: int) -> None:
    """Append to `part` what it lacks, or write it anew where the mirror cannot resume; at most a chunk over the limit.

    An OSError is the disk's; the mirror's become an HTTPException.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "snn-synth"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=timeout) as reply:
        resumed = reply.status == 206
        start = have = have if resumed else 0
        length = reply.headers.get("Content-Length", "")
        total = start + int(length) if re.fullmatch("[0-9]{1,15}", length) else None
        name = part.name.removesuffix(".part")
        with (
            part.open("ab" if resumed else "wb") as file,
            tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=name, disable=not progress) as bar,
        ):
            while have <= max_bytes and (chunk := _received(reply)):
                file.write(chunk)
                have += len(chunk)
                bar.update(len(chunk))
    if total is not None and have < total and have <= max_bytes:
        raise http.client.HTTPException(f"the connection closed after {have} of {total} bytes")


def _received(reply: http.client.HTTPResponse) -> bytes:
    try:
        return reply.read(CHUNK)
    except OSError as error:
        raise http.client.HTTPException(str(error)) from error

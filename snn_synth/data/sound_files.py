"""Read a sound file of any rate and number of channels, also with slightly wrong sizes in its header."""

from __future__ import annotations

import contextlib
import io
import math
import re
import shlex
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from snn_synth.errors import InputError

SILENCE = 1e-4  # peak amplitude below which nothing was recorded (3 steps of 16-bit audio)
MAX_RATE = 1_000_000
BLOCK = 1 << 20  # samples of all channels that are decoded at once
HEADER = 1 << 16  # where the header of a WAV file has ended

# What phones and browsers record and libsndfile does not read: by its first bytes (whatever its name), or by its name.
FOREIGN = re.compile(rb".{4}ftyp|\x1aE\xdf\xa3|0&\xb2u\x8ef\xcf\x11|#!AMR|\xff[\xf0\xf1\xf8\xf9]", re.DOTALL)
FOREIGN_NAMES = {".3gp", ".aac", ".amr", ".m4a", ".mka", ".mkv", ".mov", ".mp4", ".opus", ".webm", ".wma"}
WAV_CHUNKS = {b"LIST", b"id3 ", b"ID3 ", b"bext", b"cue ", b"fact", b"PEAK", b"JUNK", b"smpl", b"inst", b"iXML"}


def read_audio(path: str | Path, max_seconds: float = 30.0) -> tuple[Tensor, int]:
    """Read a sound file (WAV, FLAC, OGG, MP3, NIST SPHERE) of any rate as one channel, the mean of all.

    An unfinished header, or one with slightly wrong sizes, is accepted: a file counts as cut short where
    more than 64 bytes are missing that the header promises, and they are more than 1 % or more than 0.1 s of the sound.

    Args:
        path: the file.
        max_seconds: a longer file is refused from its header, before it is decoded.

    Returns:
        The waveform, float32 `[samples]`, and its sample rate in Hz.

    Raises:
        InputError: the file is missing, no audio, cut short, too long, empty or silent, or holds NaN or inf.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "stereo.wav")
        >>> soundfile.write(path, [[0.5, 0.0], [0.0, -0.25]], 8000)
        >>> read_audio(path)
        (tensor([ 0.2500, -0.1250]), 8000)
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"Expected a sound file, found no file at {path}")
    try:
        with path.open("rb", buffering=0) as file:  # libsndfile starts where the file stands
            head = file.read(HEADER)
            file.seek(0)
            waveform, rate = _decoded(path, file.fileno(), head, max_seconds)
            if not len(waveform) and _is_unfinished(head):
                waveform, rate = _decoded(path, _finished(path, max_seconds), head, max_seconds)
    except (soundfile.SoundFileError, OSError) as error:
        raise InputError(_not_decoded(path, error)) from error
    if not len(waveform):
        raise InputError(f"Expected a sound with samples, got none in {path}")
    if not waveform.isfinite().all():
        raise InputError(f"Expected finite samples, got NaN or infinity in {path}")
    if waveform.abs().max() < SILENCE:
        raise InputError(f"Expected a sound with a peak of at least {SILENCE}, got silence in {path}")
    return waveform, rate


def _decoded(path: Path, source: int | io.BytesIO, head: bytes, max_seconds: float) -> tuple[Tensor, int]:
    """All samples, the channels averaged block by block: memory follows the sound, not what its header claims."""
    with soundfile.SoundFile(source, closefd=False) as sound:
        _check_header(path, sound, head, max_seconds)
        step = BLOCK // sound.channels  # of which libsndfile reads 1024 at most
        blocks = [torch.zeros(0)]
        with contextlib.suppress(soundfile.SoundFileError):  # what is missing then is counted below
            while len(block := sound.read(step, dtype="float32", always_2d=True)):
                blocks.append(torch.from_numpy(block).mean(1))
        waveform = torch.cat(blocks)
        missing = sound.frames - len(waveform)
        if _is_cut_short(missing, sound.frames, sound.samplerate, slack=0):
            raise InputError(f"Expected {sound.frames} samples, got {len(waveform)}: {path} is cut short or damaged")
        return waveform, int(sound.samplerate)


def _check_header(path: Path, sound: soundfile.SoundFile, head: bytes, max_seconds: float) -> None:
    rate, seconds = sound.samplerate, sound.frames / sound.samplerate
    promised, held = _declared_size(path, sound.extra_info, head)
    if _is_cut_short(promised - held, promised, rate * max(1, held // max(1, sound.frames)), slack=64):
        raise InputError(f"Expected {promised} bytes of audio, got {held}: {path} is cut short or damaged")
    if sound.frames == 2**63 - 1:  # libsndfile's word for it, of a FLAC file that was written to a pipe
        raise InputError(f"Expected a header that says how long the sound is, got none in {path}: {_convert(path)}")
    if seconds > max_seconds:
        shown = math.ceil(10 * seconds) / 10  # rounded up: it must not look like the limit
        raise InputError(
            f"Expected a sound of at most {max_seconds:g} seconds, got {shown} seconds in {path}: cut it into parts"
        )
    if rate > MAX_RATE:
        raise InputError(f"Expected a sample rate of at most {MAX_RATE} Hz, got {rate} Hz in {path}")


def _is_cut_short(missing: int, promised: int, per_second: int, slack: int) -> bool:
    return missing > slack and (missing > promised / 100 or missing > per_second / 10)


def _declared_size(path: Path, log: str, head: bytes) -> tuple[int, int]:
    """How many bytes of audio the header promises and the file holds, where libsndfile lets a difference pass."""
    wav = re.search(r"^data : (\d{1,20}) \(should be (\d{1,20})\)", log, re.MULTILINE)
    if wav and int(wav[1]) < 0x7FFF0000:  # above: a recorder that wrote to a pipe could not know the length
        return int(wav[1]), int(wav[2])
    start = re.match(rb"NIST_1A\n\s*(\d{1,9})\n", head)
    if not start:
        return 0, 0
    if int(start[1]) < len(start[0]):
        raise InputError(f"Expected a NIST SPHERE header, got one of {int(start[1])} bytes in {path}")
    field = dict(re.findall(rb"^(\w+) -i (\d{1,10})\s*$", head[:1024], re.MULTILINE))
    promised = int(field.get(b"sample_count", 0)) * int(field.get(b"sample_n_bytes", 2))
    return promised * int(field.get(b"channel_count", 1)), max(0, path.stat().st_size - int(start[1]))


def _is_unfinished(head: bytes) -> bool:
    """Whether a WAV file says that it holds nothing, and samples follow: its recorder was stopped before the end."""
    data = re.search(rb"\ARIFF.{4}WAVE.*?data\0\0\0\0(.{4})", head, re.DOTALL)
    return data is not None and data[1] not in WAV_CHUNKS


def _finished(path: Path, max_seconds: float) -> io.BytesIO:
    """The file with the size of 8 in its header, from which libsndfile knows a file that was never closed."""
    largest = int(min(max_seconds, 60) * MAX_RATE * 4)
    with path.open("rb") as file:
        content = bytearray(file.read(largest + 1))
    if len(content) > largest:
        raise InputError(f"Expected an unfinished recording of at most {largest:,} bytes, got more in {path}")
    content[4:8] = (8).to_bytes(4, "little")
    return io.BytesIO(content)


def _not_decoded(path: Path, error: Exception) -> str:
    reason = str(getattr(error, "error_string", None) or getattr(error, "strerror", None) or error).rstrip(".")
    message = f"Expected a sound file (WAV, FLAC, OGG, MP3, NIST SPHERE), got {path} ({' '.join(reason.split())})"
    try:
        with path.open("rb") as file:
            foreign = FOREIGN.match(file.read(16)) is not None
    except OSError:
        return message
    known = foreign or path.suffix.lower() in FOREIGN_NAMES
    return f"{message}: {'' if known else 'if it is a recording, '}{_convert(path)}"


def _convert(path: Path) -> str:
    return f"convert it, ffmpeg -i {shlex.quote(path.name)} {shlex.quote(path.stem + '-converted.wav')}"

"""Read a sound file, resample it, cut the silence around a word."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import soundfile
import torch
from torch import Tensor

from snn_synth.data._torchaudio import torchaudio
from snn_synth.errors import InputError

SILENCE = 1e-4  # peak amplitude below which nothing was recorded (3 steps of 16-bit audio)


def read_audio(path: str | Path, max_seconds: float = 30.0) -> tuple[Tensor, int]:
    """Read a sound file (WAV, FLAC, OGG, NIST SPHERE) of any rate as one channel, the mean of all.

    Args:
        path: the file.
        max_seconds: a longer file is refused from its header, before it is decoded.

    Returns:
        The waveform, float32 `[samples]`, and its sample rate in Hz.

    Raises:
        InputError: the file is missing, no audio, cut short, too long, empty or silent, or holds NaN or inf.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"Expected a sound file, found no file at {path}")
    try:
        header = soundfile.info(str(path), verbose=True)
        _check_header(path, header, max_seconds)
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        reason = str(getattr(error, "error_string", error)).rstrip(".")
        raise InputError(f"Expected a sound file (WAV, FLAC, OGG, NIST SPHERE), got {path} ({reason})") from error
    if len(samples) < header.frames:
        raise InputError(f"Expected {header.frames} samples, got {len(samples)}: {path} is cut short or damaged")
    waveform = torch.from_numpy(samples).mean(1)
    if not waveform.isfinite().all():
        raise InputError(f"Expected finite samples, got NaN or infinity in {path}")
    if waveform.abs().max() < SILENCE:
        raise InputError(f"Expected a sound with a peak of at least {SILENCE}, got silence in {path}")
    return waveform, int(rate)


def _check_header(path: Path, header: Any, max_seconds: float) -> None:
    declared = _declared_size(path, header.extra_info)
    if declared is not None:
        raise InputError(f"Expected {declared[0]} of audio, got {declared[1]}: {path} is cut short or damaged")
    if header.frames == 0:
        raise InputError(f"Expected a sound with samples, got none in {path}")
    seconds = header.frames / header.samplerate
    if seconds > max_seconds:
        raise InputError(f"Expected a sound of at most {max_seconds:g} seconds, got {seconds:.1f} seconds in {path}")


def _declared_size(path: Path, log: str) -> tuple[str, str] | None:
    """What the header promises and what the file holds, where that is less (libsndfile lets it pass)."""
    wav = re.search(r"^data : (\d+) \(should be (\d+)\)", log, re.MULTILINE)
    if wav:
        promised, held = int(wav[1]), int(wav[2])
        streamed = promised >= 0x7FFF0000  # a recorder that wrote to a pipe could not know the length
        return None if streamed or promised <= held else (f"{promised} bytes", f"{held}")
    with path.open("rb") as file:
        head = file.read(1024)
    if not head.startswith(b"NIST_1A"):
        return None
    field = dict(re.findall(rb"^(\w+) -\w+ (\S+)", head, re.MULTILINE))
    promised = int(field.get(b"sample_count", 0)) * int(field.get(b"sample_n_bytes", 2))
    promised *= int(field.get(b"channel_count", 1))
    held = path.stat().st_size - int(head[8:16])
    return (f"{promised} bytes", f"{held}") if held < promised else None


@lru_cache(maxsize=16)
def _resampler(from_rate: int, to_rate: int) -> Any:
    return torchaudio.transforms.Resample(from_rate, to_rate)


def resample(waveform: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Change the sample rate by band-limited (windowed sinc) interpolation.

    Args:
        waveform: float32 `[samples]`.
        from_rate: its rate in Hz.
        to_rate: the rate wanted, in Hz.

    Returns:
        float32 `[ceil(samples * to_rate / from_rate)]`.

    Example:
        >>> resample(torch.zeros(8000), 8000, 12500).shape
        torch.Size([12500])
    """
    if from_rate == to_rate:
        return waveform
    resampled: Tensor = _resampler(from_rate, to_rate)(waveform)
    return resampled


def trim_silence(waveform: Tensor, sample_rate: int, threshold_db: float = 35.0) -> Tensor:
    """Cut off what is quiet before and after a word.

    A frame of 10 ms is quiet when its energy lies more than `threshold_db` below that of the loudest frame.

    Args:
        waveform: float32 `[samples]`.
        sample_rate: its rate in Hz.
        threshold_db: how far below the loudest frame is quiet.

    Returns:
        The waveform from the first to the last frame that is not quiet.

    Example:
        >>> word = torch.cat([torch.zeros(800), torch.ones(800), torch.zeros(1600)])
        >>> trim_silence(word, 8000).shape
        torch.Size([800])
    """
    hop = max(1, sample_rate // 100)
    padded = torch.nn.functional.pad(waveform, (0, -len(waveform) % hop))
    energy = padded.reshape(-1, hop).square().mean(1)
    loud = torch.nonzero(energy > energy.max() * 10 ** (-threshold_db / 10)).flatten()
    if not len(loud):
        return waveform
    return waveform[int(loud[0]) * hop : (int(loud[-1]) + 1) * hop]

"""A corpus of spoken digits that espeak-ng speaks on the spot, in the shape of TI-46."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import io
import json
import re
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from snn_synth.data.audio import trim_silence
from snn_synth.data.root import cache_dir, not_a_folder
from snn_synth.data.spoken_digits import DIGIT_WORDS, SpokenDigits
from snn_synth.errors import InputError
from snn_synth.files import atomic_write

FORMAT = 1  # raise it when this file renders anything differently
WORKER = Path(__file__).with_name("_espeak_worker.py")
WORKERS = 2

# Eight male and eight female voices, in turn, so that any even number is balanced; `en` is British English.
VOICES = (
    *("en-us+m1", "en-us+f1", "en+m2", "en+f2", "en-us+m3", "en-us+f3", "en+m4", "en+f4"),
    *("en-us+m5", "en-us+f5", "en+m6", "en+Annie", "en-us+m7", "en-us+linda", "en+m8", "en+steph"),
)
# Many voices, to train for speakers who were never heard: variants, of which espeak has few female ones, times accents.
ACCENTS = (
    *("en-us", "en", "en-gb-scotland", "en-gb-x-rp"),  # American, British, Scottish, received pronunciation
    *("en-029", "en-us-nyc", "en-gb-x-gbclan", "en-gb-x-gbcwmd"),  # Caribbean, New York, Lancaster, West Midlands
)
FEMALE = (
    *("f1", "f2", "f3", "f4", "f5", "Andrea", "Annie", "anika", "aunty", "grandma", "linda"),
    *("steph", "steph2", "steph3", "whisperf"),
)
MALE = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "Alex", "Andy", "Gene2", "Henrique", "Hugo", "Marco", "Nguyen"),
    *("Reed", "announcer", "antonio", "benjamin", "boris", "caleb", "david", "edward", "edward2", "grandpa", "gustave"),
    *("ian", "iven", "iven2", "john", "kaukovalta", "klatt", "klatt2", "klatt3", "klatt4", "marcelo", "michel"),
    *("miguel", "mike2", "norbert", "pablo", "paul", "pedro", "quincy", "robert", "sandro", "travis", "victor"),
    "whisper",
)
MANY_VOICES = (
    *(f"{accent}+{variant}" for variant in FEMALE for accent in ACCENTS),
    *(f"{ACCENTS[(5 * i + 3 * j) % len(ACCENTS)]}+{variant}" for i, variant in enumerate(MALE) for j in range(3)),
)
# Of variants that no list above has, to test on.
UNHEARD_VOICES = (
    *("en-us+adam", "en+Alicia", "en-gb-scotland+Denis", "en-gb-x-rp+Gene", "en-029+Jacky", "en-us-nyc+Lee"),
    *("en-us+Mario", "en+Michael", "en-gb-scotland+belinda", "en-gb-x-rp+max", "en-029+rob", "en-us-nyc+shelby"),
    *("en-us+zac", "en+Mike", "en-gb-scotland+Diogo", "en-gb-x-rp+ed"),
)
RATES, PITCHES, RANGES = (130, 220), (30, 70), (30, 70)  # words a minute; espeak's scales of 0 to 100


class EspeakDigits(SpokenDigits):
    """Digits spoken by espeak-ng: voices x 10 digits x takes, speed and pitch drawn by a seed.

    Rendered once (a few seconds), in worker processes, and kept in one file under a key of all settings.

    Args:
        voices: how many of sixteen voices, half of them male; or espeak's names of voices, such as ``en-us+f3``
            (``MANY_VOICES``, ``UNHEARD_VOICES``).
        takes: utterances of each digit by each voice.
        seed: draws speed, pitch and pitch range of each take.
        cache: folder for the rendered corpus; None means the cache.
        progress: show a progress bar while rendering.

    Raises:
        InputError: espeakng-loader is not installed (extra `demo`), or a setting is out of range.

    Source: espeak-ng (GPL-3, loaded at run time); the shape is TI-46's, 16 x 10 x 26 takes.

    Example:
        >>> import tempfile
        >>> corpus = EspeakDigits(["en-us+f3"], takes=1, cache=tempfile.mkdtemp(), progress=False)
        >>> waveform, label = corpus[7]
        >>> len(corpus), label, 0.2 < len(waveform) / corpus.sample_rate < 1.5  # seconds
        (10, 7, True)
    """

    def __init__(
        self,
        voices: int | Sequence[str] = 16,
        takes: int = 26,
        seed: int = 0,
        cache: str | Path | None = None,
        progress: bool = True,
    ) -> None:
        names = _names(voices)
        if takes < 1:
            raise InputError(f"Expected at least 1 take, got {takes}")
        jobs = draw_takes(names, takes, seed)
        self._key = _key(jobs)
        path = not_a_folder(Path(cache or cache_dir() / "espeak") / f"{self._key}.npz")
        stored = _load(path, len(jobs) * 10 * takes)
        if stored is None:
            _render(jobs, path, progress)
            stored = _load(path, len(jobs) * 10 * takes)
            if stored is None:
                raise InputError(f"Expected the corpus that was just written, got an unreadable file at {path}")
        self._samples, self._ends, self.sample_rate = stored
        self.labels = torch.arange(10).repeat_interleave(takes).repeat(len(names))
        self.speakers = [voice for voice in names for _ in range(10 * takes)]
        self.takes = list(range(takes)) * (10 * len(names))

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        index = range(len(self))[index]
        start = self._ends[index - 1] if index else 0
        samples = self._samples[start : self._ends[index]].astype(np.float32) / 32768
        return torch.from_numpy(samples), int(self.labels[index])

    def fingerprint(self) -> str:
        """Key of all settings, of the version of espeakng-loader, and of the rendered samples."""
        return hashlib.sha256(self._key.encode() + self._samples.tobytes()).hexdigest()


def _names(voices: int | Sequence[str]) -> tuple[str, ...]:
    if isinstance(voices, int):
        if not 1 <= voices <= len(VOICES):
            raise InputError(f"Expected 1 to {len(VOICES)} voices, got {voices}")
        return VOICES[:voices]
    names = (voices,) if isinstance(voices, str) else tuple(voices)
    wrong = [name for name in names if not re.fullmatch(r"en[a-z0-9-]*(\+[A-Za-z0-9]+)?", name)]
    if wrong or not names or len(set(names)) < len(names):
        raise InputError(
            "Expected English voices of espeak-ng such as 'en-us+f3', each once, "
            f"got {wrong[0] if wrong else list(names)!r}"
        )
    return names


def draw_takes(voices: tuple[str, ...], takes: int, seed: int) -> list[dict[str, Any]]:
    """What each voice is to say: a job for the worker per voice.

    Each voice draws from (seed, its name), so that the number of voices changes no take.

    Example:
        >>> job = draw_takes(("en-us+m1",), takes=1, seed=0)[0]
        >>> job["voice"], len(job["takes"]), job["takes"][0][0]
        ('en-us+m1', 10, 'zero')
    """
    jobs = []
    for voice in voices:
        random = np.random.default_rng([seed, *voice.encode()])
        drawn = [
            [word, *(int(random.integers(low, high + 1)) for low, high in (RATES, PITCHES, RANGES))]
            for word in DIGIT_WORDS
            for _ in range(takes)
        ]
        jobs.append({"voice": voice, "takes": drawn})
    return jobs


def _loader_version() -> str:
    """Which espeakng-loader is installed.

    Raises:
        InputError: if none is.
    """
    try:
        return importlib.metadata.version("espeakng-loader")
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError(
            "Expected the package espeakng-loader, which ships espeak-ng, and it is not installed: "
            "pip install 'snn_synth[demo]', or use FSDD with SNN_SYNTH_DATA set"
        ) from error


def _key(jobs: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps([FORMAT, _loader_version(), jobs]).encode()).hexdigest()


def _load(path: Path, count: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], int] | None:
    """The rendered corpus, or None where the file is missing or damaged (a zip file holds checksums)."""
    try:
        with path.open("rb") as file, np.load(file) as stored:  # NumPy does not close what it cannot read
            samples, ends, rate = (np.asarray(stored[name]) for name in ("samples", "ends", "sample_rate"))
    except Exception:  # whatever is wrong with it: NumPy's readers raise a dozen kinds
        return None
    whole = samples.dtype == np.int16 and samples.ndim == 1 and ends.dtype == np.int64 and ends.shape == (count,)
    if not whole or ends[0] < 0 or (np.diff(ends) < 0).any() or ends[-1] != len(samples):
        return None
    return (samples, ends, int(rate)) if rate.shape == () and rate.dtype.kind == "i" and rate > 0 else None


def _render(jobs: list[dict[str, Any]], path: Path, progress: bool) -> None:
    """Speak all takes, cut the silence around them, and store them in one file."""
    total = sum(len(job["takes"]) for job in jobs)
    with (
        atomic_write(path) as temporary,
        tqdm(total=total, desc="espeak-ng speaks digits", unit="take", disable=not progress) as bar,
        ThreadPoolExecutor(WORKERS) as pool,
    ):
        spoken: list[np.ndarray[Any, Any]] = []
        for rate, waveforms in pool.map(speak, jobs):
            spoken.extend(_trim(waveform, rate) for waveform in waveforms)
            bar.update(len(waveforms))
        ends = np.cumsum([len(waveform) for waveform in spoken])
        with temporary.open("wb") as file:
            np.savez(file, samples=np.concatenate(spoken), ends=ends, sample_rate=rate)


def speak(job: dict[str, Any]) -> tuple[int, list[np.ndarray[Any, Any]]]:
    """What one voice says: its sample rate, and the samples of each take, int16; see `draw_takes` for a job.

    Raises:
        InputError: espeakng-loader is not installed (extra `demo`), or espeak-ng has no such voice.
    """
    _loader_version()
    worker = subprocess.run(
        [sys.executable, str(WORKER)],
        input=json.dumps(job).encode() + b"\n",
        capture_output=True,
        check=False,
    )
    if worker.returncode:
        raise InputError(f"Expected espeak-ng to speak as {job['voice']}, got: {worker.stderr.decode()[-500:].strip()}")
    stream = io.BytesIO(worker.stdout)
    (rate,) = struct.unpack("<I", stream.read(4))
    return rate, list(_read_takes(stream))


def _read_takes(stream: io.BytesIO) -> Iterator[np.ndarray[Any, Any]]:
    while head := stream.read(4):
        (count,) = struct.unpack("<I", head)
        yield np.frombuffer(stream.read(2 * count), dtype="<i2")


def _trim(samples: np.ndarray[Any, Any], rate: int) -> np.ndarray[Any, Any]:
    trimmed = trim_silence(torch.from_numpy(samples.astype(np.float32)), rate)
    return trimmed.numpy().astype(np.int16)

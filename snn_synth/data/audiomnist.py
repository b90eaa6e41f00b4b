"""AudioMNIST: 30,000 recordings at 48 kHz, 60 speakers x 10 digits x 50 takes."""

from __future__ import annotations

import re
from pathlib import Path

from snn_synth.data.frontends.base import check_whole
from snn_synth.data.root import data_root
from snn_synth.data.spoken_digits import SpokenDigits
from snn_synth.data.spoken_words import Recordings
from snn_synth.errors import InputError

NAME = re.compile(r"([0-9])_([0-9]{2})_([0-9]+)\.wav", re.IGNORECASE)
PLACES = ("audiomnist/data", "audiomnist", "AudioMNIST/data")  # as copied, or as cloned
# The authors' five groups of twelve speakers: each is the test of one fold. From audiomnist/train/splits.py, "digit".
GROUPS = (
    {26, 52, 60, 18, 32, 42, 5, 13, 22, 33, 45, 51},
    {28, 56, 7, 19, 35, 1, 6, 16, 23, 34, 46, 53},
    {36, 57, 9, 24, 37, 2, 8, 17, 29, 39, 48, 54},
    {43, 58, 14, 25, 38, 3, 10, 20, 30, 40, 49, 55},
    {12, 47, 59, 15, 27, 41, 4, 11, 21, 31, 44, 50},
)


class AudioMNIST(Recordings, SpokenDigits):
    """AudioMNIST, files `<root>/audiomnist/data/{speaker}/{digit}_{speaker}_{take}.wav`.

    It has no release with a checksum, and is not downloaded: clone github.com/soerenab/AudioMNIST (MIT licence), and
    name its folder `audiomnist`, or `AudioMNIST` as it comes. A part of the speakers is enough.

    Args:
        root: data folder; None means `$SNN_SYNTH_DATA`, else the cache.
        fold: which of the authors' five folds is the corpus's own split, 0 to 4: twelve speakers are the test, and all
            others train, those with whom the authors validate among them.

    Raises:
        InputError: the corpus is not there.

    Source: Becker et al., AudioMNIST: Exploring Explainable Artificial Intelligence for audio analysis on a simple
        benchmark, 2018 (arXiv:1807.03418).

    Example:
        >>> import tempfile, numpy, soundfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for name in ("01/3_01_0.wav", "26/7_26_4.wav"):
        ...     path = root / "audiomnist" / "data" / name
        ...     path.parent.mkdir(parents=True)
        ...     soundfile.write(path, numpy.sin(numpy.arange(20000) / 4), 48000)
        >>> corpus = AudioMNIST(root, fold=0)
        >>> corpus.labels.tolist(), corpus.speakers, corpus.official_test_mask.tolist()
        ([3, 7], ['01', '26'], [False, True])
    """

    def __init__(self, root: str | Path | None = None, fold: int = 0) -> None:
        check_whole(0, len(GROUPS) - 1, fold=fold)
        folder = next((data_root(root) / place for place in PLACES if _speakers(data_root(root) / place)), None)
        if folder is None:
            raise InputError(
                f"Expected AudioMNIST's folders 01 to 60 in {data_root(root) / PLACES[0]}, not there: clone "
                f"https://github.com/soerenab/AudioMNIST into {data_root(root) / 'audiomnist'}, or set SNN_SYNTH_DATA "
                "to a folder that has it"
            )
        found = sorted(
            (speaker.name, int(match[1]), int(match[3]), path)
            for speaker in _speakers(folder)
            for path in speaker.iterdir()
            if (match := NAME.fullmatch(path.name)) and match[2] == speaker.name
        )
        if not found:
            raise InputError(f"Expected recordings such as 01/0_01_0.wav in {folder}, found none")
        super().__init__(
            folder,
            files=[path for *_, path in found],
            labels=[digit for _, digit, _, _ in found],
            speakers=[speaker for speaker, *_ in found],
            takes=[take for _, _, take, _ in found],
            test=[int(speaker) in GROUPS[fold] for speaker, *_ in found],
            sample_rate=48000,
        )


def _speakers(folder: Path) -> list[Path]:
    """The speakers' folders."""
    try:
        return [path for path in folder.iterdir() if re.fullmatch("[0-9]{2}", path.name) and path.is_dir()]
    except OSError:
        return []

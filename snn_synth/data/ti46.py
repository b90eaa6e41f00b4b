"""TI-46, the corpus of the paper, in the layout that the LDC delivers (LDC93S9)."""

from __future__ import annotations

import re
from pathlib import Path

from snn_synth.data.root import data_root
from snn_synth.data.spoken_digits import SpokenDigits
from snn_synth.data.spoken_words import Recordings, count_takes
from snn_synth.errors import InputError

NAME = re.compile(r"(?P<word>\d\d)(?P<speaker>[fm]\d)(?:set(?P<set>\d+)|s(?P<session>\d+)t(?P<token>\d+))\.wav", re.I)


class TI46(Recordings, SpokenDigits):
    """The digits of TI-46: 16 speakers, 10 training and 16 test takes of each digit, NIST SPHERE at 12.5 kHz.

    Files: `<root>/ti46/.../TI20/{TRAIN,TEST}/<speaker>/<word><speaker>{SET<k>,S<j>T<k>}.WAV`, in any letter
    case; words 00 to 09 are the digits. The corpus is licensed by the LDC (LDC93S9) and is not downloaded.

    Args:
        root: data folder; None means `$SNN_SYNTH_DATA`, else the cache.

    Attributes:
        official_test_mask: bool `[N]`, the files of the folder TEST.

    Raises:
        InputError: the corpus is not there, or holds no digits.

    Source: Liberman et al., TI 46-Word, LDC93S9, 1993.

    Example:
        >>> import tempfile, numpy, soundfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for name in ("TRAIN/F1/00F1SET0.WAV", "TEST/F1/09F1S1T0.WAV"):
        ...     path = root / "ti46" / "TI20" / name
        ...     path.parent.mkdir(parents=True)
        ...     soundfile.write(path, numpy.sin(numpy.arange(5000) / 4), 12500)
        >>> corpus = TI46(root)
        >>> corpus.labels.tolist(), corpus.speakers, corpus.official_test_mask.tolist()
        ([0, 9], ['f1', 'f1'], [False, True])
    """

    def __init__(self, root: str | Path | None = None) -> None:
        folder = data_root(root) / "ti46"
        help_line = (
            "TI-46 is licensed by the LDC (catalog.ldc.upenn.edu/LDC93S9): "
            f"put its folder TI20 into {folder}, or set SNN_SYNTH_DATA to a folder that has ti46/TI20"
        )
        if not folder.is_dir():
            raise InputError(f"Expected the corpus TI-46 in {folder}, which is not there; {help_line}")
        found = sorted(utterance for path in folder.rglob("*") if (utterance := _parse(path)))
        if not found:
            raise InputError(f"Expected files such as TI20/TRAIN/F1/00F1SET0.WAV in {folder}, found none; {help_line}")
        super().__init__(
            folder,
            files=[path for *_, path in found],
            labels=[digit for _, digit, *_ in found],
            speakers=[speaker for speaker, *_ in found],
            takes=count_takes([(speaker, digit) for speaker, digit, *_ in found]),
            test=[test for _, _, test, *_ in found],
            sample_rate=12500,
        )


def _parse(path: Path) -> tuple[str, int, bool, int, int, Path] | None:
    """(speaker, digit, is test, session, token, path) of a digit's file under TI20, None for another."""
    match = NAME.fullmatch(path.name)
    parents = [parent.name.lower() for parent in path.parents]
    if not match or "ti20" not in parents or int(match["word"]) > 9 or parents[1] not in ("train", "test"):
        return None
    test = parents[1] == "test"
    token = int(match["set"] or match["token"])
    return match["speaker"].lower(), int(match["word"]), test, int(match["session"] or 0), token, path

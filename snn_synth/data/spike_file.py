"""The HDF5 files of SHD and SSC: firing times and units of a cochlea's neurons, a label and a speaker of each word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_synth.data.binning import LATEST
from snn_synth.errors import InputError, brief

UNITS = 700
MAX_WORDS = 1_000_000  # SSC, the larger of the two, has 75,466 to train
AT_ONCE = 256  # words that are read at a time


class SpikeFile:
    """One file: ``spikes/times`` (seconds), ``spikes/units``, ``labels``, ``extra/speaker`` and ``extra/keys``.

    Args:
        path: of the file.

    Attributes:
        labels: int64 ``[N]``, places in ``keys``.
        speakers: int64 ``[N]``.
        keys: what is said, by label.

    Raises:
        InputError: it is no HDF5 file, one of these is missing or is not what it should be, or a label has no key.

    Source:
        Cramer, Stradmann, Schemmel & Zenke 2020, The Heidelberg spiking data sets.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as file:
            times, units = (self._item(file, f"spikes/{name}") for name in ("times", "units"))
            for item, kinds, wanted in ((times, "f", "floating numbers"), (units, "iu", "integers")):
                if (of := _lists_of(item)) is None or of.kind not in kinds:
                    raise InputError(f"Expected a list of {wanted} for each word in {item.name[1:]}, got {path}")
            self.labels, self.speakers = self._integers(file, "labels"), self._integers(file, "extra/speaker")
            self.keys = tuple(_text(key) for key in self._item(file, "extra/keys")[()])
            count = len(self.labels)
            for item, found in ((times, len(times)), (units, len(units)), ("extra/speaker", len(self.speakers))):
                if found != count:
                    name = item if isinstance(item, str) else item.name[1:]
                    raise InputError(f"Expected as many words in {name} as labels, {count}, got {found} in {path}")
        outside = (self.labels < 0) | (self.labels >= len(self.keys))
        if outside.any():
            word = int(outside.argmax())
            raise InputError(
                f"Expected labels from 0 to {len(self.keys) - 1}, places in extra/keys, got {self.labels[word]} "
                f"of word {word} in {path}"
            )

    def words(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Times in microseconds, rounded down, and units of each word's events; of an empty recording there are none.

        Raises:
            InputError: a time is no finite number, a unit is not of the cochlea, or times and units are not as many.
        """
        with _opened(self.path) as file:
            times, units = file["spikes/times"], file["spikes/units"]
            for start in range(0, len(self.labels), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                for word, (time, unit) in enumerate(zip(times[part], units[part], strict=True), start):
                    yield self._checked(word, np.asarray(time), np.asarray(unit))

    def _checked(
        self, word: int, time: NDArray[Any], unit: NDArray[Any]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        where = f"of word {word} in {self.path}"
        if len(time) != len(unit):
            raise InputError(f"Expected a unit for each of the {len(time)} times, got {len(unit)} units {where}")
        # Before they are scaled: in the file's float16 nothing above 0.065 seconds has a number of microseconds.
        seconds = time.astype(np.float64)
        if not np.isfinite(seconds).all():
            raise InputError(f"Expected times that are finite numbers of seconds, got others {where}")
        if len(unit) and (unit.min() < 0 or unit.max() >= UNITS):
            wrong = unit[(unit < 0) | (unit >= UNITS)][0]
            raise InputError(f"Expected units from 0 to {UNITS - 1}, got {wrong} {where}")
        with np.errstate(over="ignore"):
            micros = np.floor(seconds * 1e6).clip(-1, LATEST)
        return micros.astype(np.int64), unit.astype(np.int64)

    def _item(self, file: Any, name: str) -> Any:
        import h5py

        found = file.get(name)
        if not isinstance(found, h5py.Dataset) or found.ndim != 1:
            got = "none" if found is None else "something else"
            raise InputError(f"Expected a list `{name}`, as SHD and SSC have it, got {got} in {self.path}")
        if len(found) > MAX_WORDS:
            raise InputError(f"Expected at most {MAX_WORDS} words, got {len(found)} in {name} of {self.path}")
        return found

    def _integers(self, file: Any, name: str) -> NDArray[np.int64]:
        found = self._item(file, name)
        if found.dtype.kind not in "iu":
            raise InputError(f"Expected integers in {name}, got {found.dtype} in {self.path}")
        numbers: NDArray[np.int64] = found[()].astype(np.int64)
        return numbers


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The open file; whatever its reader raises becomes one sentence."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except Exception as error:  # h5py raises OSError, KeyError, RuntimeError, ... for damage of one kind or another
        raise InputError(f"Expected an HDF5 file of SHD or SSC, got {path}: {brief(error)}") from error


def _lists_of(item: Any) -> Any:
    """The dtype of the numbers in a data set of lists; None if it has no lists."""
    import h5py

    return h5py.check_vlen_dtype(item.dtype)


def _text(key: Any) -> str:
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)

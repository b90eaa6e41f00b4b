"""A NIR file from anybody: its structure is checked before anything of it is loaded."""

from pathlib import Path
from typing import Any

import h5py
import nir

from snn_synth.errors import InputError, brief

KNOWN = {
    *("Affine", "AvgPool2d", "Conv1d", "Conv2d", "CubaLI", "CubaLIF", "Delay", "Flatten", "I", "IF", "Input", "LI"),
    *("LIF", "Linear", "NIRGraph", "Output", "Scale", "SumPool2d", "Threshold"),
}
_DEPTH = 8  # groups within groups
_NODES = 10_000  # groups and data sets
_SPARE, _TIMES = (
    2**26,
    64,
)  # bytes that the arrays may have together, and for each byte of the file, which is compressed


def read_graph(path: str | Path) -> Any:
    """The graph that a file holds.

    Raises:
        InputError: if there is no such file, it is no HDF5, damaged, of a version or with a node that the package nir
            does not know, or refers to other files.
    """
    try:
        if not Path(path).is_file():
            raise InputError("no such file")
        if not h5py.is_hdf5(path):
            raise InputError("it is no HDF5 file")
        with h5py.File(path) as file:
            _check_version(file)
            _Check(Path(path).stat().st_size).group(file, 0)
            if "node" not in file or _text(file["node"], "type") != "NIRGraph":
                raise InputError("it holds no NIRGraph")
        # Shapes that some tools write are not what the package expects: ours are checked by from_nir.
        return nir.read(path, type_check=False)
    except InputError as error:
        reason = str(error)
    except Exception as error:  # of h5py and nir, for a file that is damaged or lacks something
        reason = brief(error)
    raise InputError(f"Expected a NIR file, got {path}: {reason}")


def _check_version(file: Any) -> None:
    version = _text(file, "version")
    if version is None or version.split(".")[0] not in ("0", "1"):
        raise InputError(f"it is of version {version!r}, and those of 0.x and 1.x are known")


def _text(group: Any, name: str) -> str | None:
    value = group[name][()] if isinstance(group, h5py.Group) and name in group else None
    return value.decode("utf8", "replace")[:100] if isinstance(value, bytes) else None


class _Check:
    """Follows all groups of a file, within bounds."""

    def __init__(self, size: int) -> None:
        self.bytes, self.left = _SPARE + _TIMES * size, _NODES

    def group(self, group: Any, depth: int) -> None:
        if depth > _DEPTH:
            raise InputError("its groups are nested too deep")
        kind = _text(group, "type")
        if kind is not None and kind not in KNOWN:
            raise InputError(f"it has a node {kind!r}, which NIR does not know")
        for name in group:
            self.left -= 1
            link = group.get(name, getlink=True)
            if self.left < 0 or not isinstance(link, h5py.HardLink):
                raise InputError("it has too many parts" if self.left < 0 else "it refers to another place")
            item = group[name]
            if isinstance(item, h5py.Group):
                self.group(item, depth + 1)
                continue
            if item.external or item.is_virtual:
                raise InputError("it refers to another file")
            self.bytes -= item.nbytes
            if self.bytes < 0:
                raise InputError("its arrays are far larger than the file")

"""The published network and statistics of the Frechet autoencoder distance, of a public repository."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from snn_synth.data.download import fetch, file_sha256
from snn_synth.data.root import data_root
from snn_synth.errors import InputError
from snn_synth.evaluation.fad import FAD, FADNetwork

FOLDER = "fad"
MIRRORS = (
    "https://raw.githubusercontent.com/QgZhan/ESVAE/HEAD/metrics/",
    "https://raw.githubusercontent.com/QgZhan/ESVAE/6849853dd59e6bf6bd67f22e0b26262dcc352710/metrics/",
)


class _Published(NamedTuple):
    """A file there, below ``metrics/``."""

    path: str
    sha256: str


_FILES = {
    "mnist": (
        _Published("stat_checkpoints/mnist_64.pth", "783abf13264663769f4936b30902adeb29dfda02a862bd9c8c5c8098e464333b"),
        _Published("stats/mnist_test_64.npz", "5d4dd72f345b4337af8ca3432dcf53e4b4b6e8f218aace6abd26dd0181473f20"),
    ),
    "fashion_mnist": (
        _Published(
            "stat_checkpoints/fashion_64.pth", "234f4335d9da9417abcede41f0a4d4663ba91ee46f67cdd160b62d7a200689e8"
        ),
        _Published("stats/fashion_test_64.npz", "c3a0b1ff9340f947d8316d33d0f27cd5a565c007bc63ebdd88de0ff91f558645"),
    ),
}


def load_fad(images: str = "mnist", root: str | Path | None = None, download: bool = True) -> FAD:
    """The Frechet autoencoder distance that papers publish, of MNIST or of Fashion-MNIST.

    Files: `<root>/fad/{mnist,fashion}_64.pth` and `{mnist,fashion}_test_64.npz`, 4 MB.

    Args:
        images: ``mnist`` or ``fashion_mnist``.
        root: data folder; None means `$SNN_SYNTH_DATA`, else the cache.
        download: fetch a file that is not there.

    Raises:
        InputError: for other images, or if a file is missing and cannot be had, or is not the published one.

    Source:
        The files are of the repository QgZhan/ESVAE (Zhan et al. 2023; MIT licence), folder `metrics/`.

    Example:
        >>> load_fad("mnist", "/no/such/folder", download=False)
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected mnist_64.pth in /no/such/folder/fad, where it is not: ...
    """
    if images not in _FILES:
        raise InputError(f"Expected images of {list(_FILES)}, got {images!r}")
    weights, statistics = (_locate(data_root(root) / FOLDER, file, download) for file in _FILES[images])
    network = FADNetwork(torch.load(weights, map_location="cpu", weights_only=True))
    with statistics.open("rb") as file, np.load(file) as stored:  # NumPy does not close what it cannot read
        mean, covariance = (torch.from_numpy(stored[name].astype(np.float64)) for name in ("mu", "sigma"))
    return FAD(network, mean, covariance)


def _locate(folder: Path, file: _Published, download: bool) -> Path:
    path = folder / Path(file.path).name
    if not path.is_file():
        if not download:
            raise InputError(
                f"Expected {path.name} in {folder}, where it is not: set SNN_SYNTH_DATA to a folder that has "
                f"{FOLDER}/{path.name}, or let it download (download=True)"
            )
        return fetch([mirror + file.path for mirror in MIRRORS], path, file.sha256)
    found = file_sha256(path)
    if found != file.sha256:
        raise InputError(f"Expected {path} to be the published file, of SHA-256 {file.sha256}, got {found}")
    return path

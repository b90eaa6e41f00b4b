"""Files of the Frechet autoencoder distance: found, downloaded with a checksum, or refused."""

import hashlib
import io
import pickle

import numpy as np
import pytest
import torch

from snn_synth.data import fad, load_fad
from snn_synth.errors import InputError
from snn_synth.evaluation import FADNetwork


def contents():
    """A network's file, and one of statistics."""
    weights, statistics = io.BytesIO(), io.BytesIO()
    torch.manual_seed(0)
    torch.save(FADNetwork().state_dict(), weights)
    np.savez(statistics, mu=np.arange(64, dtype=np.float32), sigma=np.eye(64))
    return weights.getvalue(), statistics.getvalue()


@pytest.fixture
def published(monkeypatch):
    """Publishes files, whose checksums are right."""

    def publish(*files):
        names = ("stat_checkpoints/mnist_64.pth", "stats/mnist_test_64.npz")
        known = tuple(
            fad._Published(name, hashlib.sha256(one).hexdigest()) for name, one in zip(names, files, strict=True)
        )
        monkeypatch.setitem(fad._FILES, "mnist", known)
        return files

    return publish


def written(folder, files):
    (folder / "fad").mkdir()
    for name, one in zip(("mnist_64.pth", "mnist_test_64.npz"), files, strict=True):
        (folder / "fad" / name).write_bytes(one)


def test_files_in_the_data_folder_are_read(tmp_path, published):
    written(tmp_path, published(*contents()))
    found = load_fad("mnist", tmp_path, download=False)
    assert found.mean.tolist() == list(range(64))
    assert torch.equal(found.covariance, torch.eye(64).double())
    torch.manual_seed(0)
    expected = FADNetwork().state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in found.network.state_dict().items())


def test_files_that_are_not_there_are_downloaded_from_the_published_folder(tmp_path, published, monkeypatch):
    weights, statistics = published(*contents())
    site = tmp_path / "site" / "metrics"
    for name, one in (("stat_checkpoints/mnist_64.pth", weights), ("stats/mnist_test_64.npz", statistics)):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(one)
    monkeypatch.setattr(fad, "MIRRORS", ((tmp_path / "nowhere").as_uri() + "/", site.as_uri() + "/"))
    assert load_fad("mnist", tmp_path / "data").mean.tolist() == list(range(64))
    assert (tmp_path / "data" / "fad" / "mnist_64.pth").read_bytes() == weights


def test_other_files_than_the_published_ones_are_refused(tmp_path, published):
    weights, statistics = published(*contents())
    written(tmp_path, (weights, statistics + b"0"))
    with pytest.raises(
        InputError, match=r"mnist_test_64.npz to be the published file, of SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}$"
    ):
        load_fad("mnist", tmp_path)


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_a_published_file_is_data_too_and_runs_no_code(tmp_path, published):
    weights = io.BytesIO()
    torch.save({"network": Harmful(tmp_path / "harm")}, weights)
    written(tmp_path, published(weights.getvalue(), contents()[1]))
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        load_fad("mnist", tmp_path)
    assert not (tmp_path / "harm").exists()


def test_bad_input(tmp_path):
    with pytest.raises(InputError, match=r"Expected images of \['mnist', 'fashion_mnist'\], got 'cifar'"):
        load_fad("cifar", tmp_path)
    with pytest.raises(InputError, match=r"Expected mnist_64.pth in .*fad, where it is not: set SNN_SYNTH_DATA"):
        load_fad("mnist", tmp_path, download=False)

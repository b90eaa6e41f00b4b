"""The same settings and seed give the same numbers, whatever else draws random numbers, and what threads change."""

import contextlib
import random

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from torch.utils.data import DataLoader

from snn_synth.encoding import poisson_encode
from snn_synth.kernels import lif_scan, spike_linear, use
from snn_synth.training import LitAutoencoder
from tests.training import resume_child
from tests.training.resumed import assert_same_bits
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer, write_fsdd


def disturb(seed):
    """Set the global generators of PyTorch, NumPy and Python to where nobody expects them."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


class Disturb(Callback):
    """Sets them anew before every batch."""

    def __init__(self, seed):
        self.seed = seed

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        disturb(self.seed + batch_idx)

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        disturb(self.seed + batch_idx)


@pytest.mark.slow
@pytest.mark.parametrize("kind", resume_child.jobs(None, None))
def test_no_training_depends_on_the_global_generators(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    root = write_fsdd(tmp_path / "data")
    firing_autoencoder(784, 16).save_pretrained(tmp_path / "autoencoder")
    job, *settings = resume_child.jobs(root, str(tmp_path / "autoencoder"))[kind]
    found = []
    for seed in (1, 1000):
        module, data = resume_child.JOBS[job](*settings)  # which seeds the first weights
        disturb(seed)
        limits = {"limit_train_batches": 4, "limit_val_batches": 2, "limit_test_batches": 2}
        trainer = quiet_trainer(tmp_path, max_epochs=2, callbacks=[Disturb(seed)], **limits)
        trainer.fit(module, data)
        metrics = trainer.callback_metrics
        if kind != "audiocoder, ANN":  # it has no test of its own
            metrics = metrics | trainer.test(module, data, verbose=False)[0]
        found.append({"weights": module.state_dict(), "metrics": metrics})
    assert_same_bits(found[0], found[1])


@pytest.mark.slow
def test_workers_that_load_the_data_change_nothing(tmp_path):
    class Loaded(TinyImages):
        workers = 0

        def train_dataloader(self):
            loader = super().train_dataloader()
            return DataLoader(loader.dataset, batch_size=None, sampler=loader.sampler, num_workers=self.workers)

    found = []
    for workers in (0, 2):
        data = Loaded()
        data.workers = workers
        module = LitAutoencoder(firing_autoencoder(12, 7), num_steps=5)
        quiet_trainer(tmp_path, max_epochs=2).fit(module, data)
        found.append(module.state_dict())
    assert_same_bits(found[0], found[1])


@contextlib.contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_on_one_thread_and_two_spikes_are_the_same_bits(backend):
    """Of encoders, and of neurons whose currents are the same: neither adds anything up across threads."""
    generator = torch.Generator().manual_seed(0)
    x, currents = torch.rand(64, 500, generator=generator), torch.rand(20, 64, 500, generator=generator)
    found = []
    for count in (1, 2):
        with threads(count), use(backend):
            spikes, membranes = lif_scan(currents, decay=0.9, threshold=1.0)
            found.append({"encoded": poisson_encode(x, 20, keys=torch.arange(64)), "spikes": spikes, "v": membranes})
    assert_same_bits(found[0], found[1])


@pytest.mark.parametrize("product", ["float32", "listed", "tiles"])
def test_on_one_thread_and_two_products_agree_to_rounding(product):
    """Sums of 784 products, each at most 1: both are as near to float64's as float32 can be."""
    generator = torch.Generator().manual_seed(0)
    spikes = (torch.rand(1500, 784, generator=generator) < 0.1).float()
    weight = torch.rand(196, 784, generator=generator)
    exact = spikes.double() @ weight.double().T
    for count in (1, 2):
        with threads(count), use("numba", product):
            torch.testing.assert_close(spike_linear(spikes, weight).double(), exact, rtol=1e-6, atol=1e-5)

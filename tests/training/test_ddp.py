"""Lightning's DDP on two processes of this machine, by gloo."""

import socket

import pytest
import torch

from snn_synth.models import AESNN
from tests.training import ddp_child
from tests.training.tiny import firing_autoencoder, write_fsdd

pytestmark = pytest.mark.slow


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_ranks(fresh_process, target, folder, what, ranks, batch_size):
    """What each of the ranks held at the end."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    processes = [fresh_process(target, folder, what, rank, ranks, port, batch_size) for rank in range(ranks)]
    for process in processes:
        process.join(90)
    for process in processes:
        process.kill()
    assert [process.exitcode for process in processes] == [0] * ranks
    return [torch.load(folder / f"{rank}-of-{ranks}.pt", weights_only=True) for rank in range(ranks)]


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_two_processes_hold_the_weights_of_one_with_the_joint_batch(fresh_process, tmp_path, rule):
    (alone,) = run_ranks(fresh_process, ddp_child.autoencoder, tmp_path / "1", rule, 1, batch_size=20)
    pair = run_ranks(fresh_process, ddp_child.autoencoder, tmp_path / "2", rule, 2, batch_size=10)
    start = firing_autoencoder(12, 7).double().state_dict()
    weights = [name for name in alone["weights"] if name.startswith("network.") and name.endswith("weight")]
    assert len(weights) == 2
    for name in weights:
        assert (alone["weights"][name] - start[name.removeprefix("network.")]).abs().max() > 1e-2  # it learned
        for one in pair:
            torch.testing.assert_close(one["weights"][name], alone["weights"][name], rtol=0, atol=1e-9)
    for one in pair:  # of all 24 images, half of which each rank saw
        for name in ("val/mse", "val/spike_mse"):
            torch.testing.assert_close(one["metrics"][name], alone["metrics"][name], rtol=0, atol=1e-6)
    (saved,) = (tmp_path / "2").glob("*.ckpt")
    checkpoint = torch.load(saved, weights_only=True)["state_dict"]
    assert all(torch.equal(checkpoint[name], pair[0]["weights"][name]) for name in weights)


def test_two_processes_train_one_autoencoder_on_all_images(fresh_process, tmp_path, monkeypatch):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    root = write_fsdd(tmp_path / "data")
    (alone,) = run_ranks(fresh_process, ddp_child.audiocoder, tmp_path / "1", root, 1, batch_size=20)
    pair = run_ranks(fresh_process, ddp_child.audiocoder, tmp_path / "2", root, 2, batch_size=10)
    names = [name for name in alone["weights"] if name.startswith("autoencoder.") and name.endswith("weight")]
    saved = AESNN.from_pretrained(tmp_path / "2" / "autoencoder").state_dict()
    for one in pair:
        for name in names:
            assert torch.equal(one["weights"][name], alone["weights"][name])
            assert torch.equal(one["weights"][name], saved[name.removeprefix("autoencoder.")])

"""Lightning's DDP on two processes of this machine, by gloo."""

import signal

import pytest
import torch

from snn_synth.learning import bptt_step, online_step
from snn_synth.models import AESNN
from tests.processes import exit_codes, free_port
from tests.training import ddp_child
from tests.training.tiny import firing_autoencoder, write_fsdd

pytestmark = pytest.mark.slow


def start_ranks(fresh_process, target, folder, what, ranks, batch_size, **options):
    """Start the ranks, and give their exit codes at the end."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    processes = [fresh_process(target, folder, what, rank, ranks, port, batch_size, **options) for rank in range(ranks)]
    return exit_codes(*processes)


def run_ranks(fresh_process, target, folder, what, ranks, batch_size, **options):
    """What each of the ranks held at the end."""
    assert start_ranks(fresh_process, target, folder, what, ranks, batch_size, **options) == [0] * ranks
    return [torch.load(folder / f"{rank}-of-{ranks}.pt", weights_only=True) for rank in range(ranks)]


def reference(rule, optimizer):
    """The same 20 joint batches in a bare loop: the weights at the end, and those that each time step ran with."""
    network, stored = firing_autoencoder(12, 7).double(), ddp_child.stored_spikes()
    optimizer, path = ddp_child.OPTIMIZERS[optimizer](network.parameters()), []
    optimizer.register_step_pre_hook(lambda *_: path.append([w.detach().clone() for w in network.parameters()]))
    batches = [stored[:, batch.index] for batch in ddp_child.samples(20).train_dataloader()]
    for spikes in batches:
        (bptt_step if rule == "bptt" else online_step)(network, spikes, spikes, optimizer)
    per_batch = len(path) // len(batches)
    steps = [path[i * per_batch : (i + 1) * per_batch] * (ddp_child.STEPS // per_batch) for i in range(len(batches))]
    return dict(network.named_parameters()), batches, steps


def membranes(spikes, steps):
    """Membranes of both layers [2][T, B, N], equations 1 and 2 written out."""
    hidden = out = torch.zeros(())
    found = []
    for shown, (first, second) in zip(spikes, steps, strict=True):
        hidden = 0.9 * hidden * (hidden < 1) + shown @ first.T
        out = 0.9 * out * (out < 1) + (hidden >= 1).double() @ second.T
        found.append((hidden, out))
    return [torch.stack(layer) for layer in zip(*found, strict=True)]


@pytest.mark.parametrize(
    "settings", [("bptt", "adamw"), ("bptt", "sgd"), ("online", "adamw"), ("online", "sgd")], ids="-".join
)
def test_on_given_spikes_two_processes_hold_the_weights_of_one_after_20_batches(fresh_process, tmp_path, settings):
    expected, batches, steps = reference(*settings)
    assert len(batches) == 20
    for spikes, weights in zip(batches, steps, strict=True):
        layers = membranes(spikes, weights)
        # Rounding is no reason for a difference: no neuron comes so near to its threshold that it would flip a spike.
        assert min((layer - 1).abs().min() for layer in layers) > 1e-6
        assert all(0.03 < (layer >= 1).double().mean() < 0.5 for layer in layers)

    (alone,) = run_ranks(fresh_process, ddp_child.stored, tmp_path / "1", settings, 1, batch_size=20)
    pair = run_ranks(fresh_process, ddp_child.stored, tmp_path / "2", settings, 2, batch_size=10)
    start = dict(firing_autoencoder(12, 7).double().named_parameters())
    assert len(expected) == 2
    for name, weight in expected.items():
        assert (weight - start[name]).abs().max() > 0.05  # it learned
        for one in (alone, *pair):
            torch.testing.assert_close(one["weights"][f"network.{name}"], weight, rtol=0, atol=1e-9)


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_the_fast_paths_of_float32_average_their_gradients_too(fresh_process, tmp_path, rule):
    settings, options = (rule, "sgd"), {"dtype": torch.float32}
    expected, _, _ = reference(*settings)
    first, second = run_ranks(fresh_process, ddp_child.stored, tmp_path, settings, 2, batch_size=10, **options)
    for name, weight in expected.items():
        one = first["weights"][f"network.{name}"]
        assert one.dtype == torch.float32
        assert torch.equal(one, second["weights"][f"network.{name}"])
        torch.testing.assert_close(one.double(), weight, rtol=0, atol=1e-4)


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_a_run_of_two_processes_one_of_which_is_killed_resumes_bit_for_bit(fresh_process, tmp_path, rule):
    job = (fresh_process, ddp_child.stored)
    whole = run_ranks(*job, tmp_path / "whole", (rule, "adamw"), 2, batch_size=10)
    codes = start_ranks(*job, tmp_path / "killed", (rule, "adamw"), 2, batch_size=10, dies_at=7)
    assert codes[1] == -signal.SIGKILL
    assert codes[0] not in (0, None, -signal.SIGKILL), "the other process ends by itself"
    resumed = run_ranks(*job, tmp_path / "killed", (rule, "adamw"), 2, batch_size=10, resume=True)
    for one, other in zip(resumed, whole, strict=True):
        assert all(torch.equal(one["weights"][name], other["weights"][name]) for name in whole[0]["weights"])


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
        found = {name for name in alone["metrics"] if name.startswith(("val/", "spikes/"))}
        assert {"val/standardized_mse", "val/spike_mse", "spikes/hidden/silent"} <= found
        for name in found:
            torch.testing.assert_close(one["metrics"][name], alone["metrics"][name], rtol=1e-6, atol=1e-6)
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


def test_two_processes_hold_the_temporal_code_of_one(fresh_process, tmp_path):
    what = ("temporal", False)
    (alone,) = run_ranks(fresh_process, ddp_child.generator, tmp_path / "1", what, 1, batch_size=20)
    for one in run_ranks(fresh_process, ddp_child.generator, tmp_path / "2", what, 2, batch_size=10):
        for name, weight in alone["weights"].items():
            torch.testing.assert_close(one["weights"][name], weight, rtol=0, atol=1e-9)


def test_two_processes_train_one_gan_on_the_class_means_of_all(fresh_process, tmp_path):
    (alone,) = run_ranks(fresh_process, ddp_child.generator, tmp_path / "1", ("gan", False), 1, batch_size=20)
    first, second = run_ranks(fresh_process, ddp_child.generator, tmp_path / "2", ("gan", True), 2, batch_size=10)
    assert alone["weights"]["counts"].tolist() == [6] * 10
    for name in ("sums", "counts"):
        torch.testing.assert_close(first["weights"][name], alone["weights"][name])
    for name, weight in first["weights"].items():
        assert torch.equal(weight, second["weights"][name])
    codes = start_ranks(fresh_process, ddp_child.generator, tmp_path / "3", ("gan", False), 2, batch_size=10)
    assert 0 not in codes, "refused: an update leaves weights out"

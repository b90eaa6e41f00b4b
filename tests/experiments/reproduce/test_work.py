import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from snn_synth.codec import pack
from snn_synth.data import MNISTSubset
from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.trials import NETWORK, RESULT
from snn_synth.experiments.reproduce.work import conventional_work, spiking_work, stored_maps
from snn_synth.models import ACANN, AEANN, AESNN
from snn_synth.synapses import SpikeConv2d, SpikeLinear
from snn_synth.training import LitAudiocoderANN, LitAutoencoderANN
from snn_synth.training.base import HELD_OUT
from snn_synth.training.images import image_batch
from snn_synth.training.loaders import SpeechBatch
from tests.training.tiny import firing_autoencoder, write_fsdd

IMAGES = AutoencoderTrial(
    Recipe(lr=0.02, one_cycle=True, batch_size=20), images="mnist_subset", hidden=30, num_steps=6, train_images=400
)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))


def test_work_is_counted_spike_by_spike_and_neuron_by_neuron():
    generator = torch.Generator().manual_seed(0)
    sizes = (4 * 5, 4 * 5 * 2, 3)
    spikes = [(torch.rand(7, 2, size, generator=generator) < 0.4).float() for size in sizes]
    operators = SpikeConv2d((4, 5), 1, 2, (3, 3), (1, 1)), SpikeLinear(40, 3)
    samples, found = spiking_work(spikes, operators)
    operations = 0
    for row, column in spikes[0].sum((0, 1)).reshape(4, 5).nonzero().tolist():
        rows, columns = sum(0 <= row + k < 4 for k in (-1, 0, 1)), sum(0 <= column + k < 5 for k in (-1, 0, 1))
        operations += rows * columns * 2 * int(spikes[0].sum((0, 1)).reshape(4, 5)[row, column])
    operations += 3 * int(spikes[1].sum())
    assert samples == 2
    assert found == {
        "spikes": sum(int(one.sum()) for one in spikes) / 2,
        "operations": operations / 2,
        "updates": 7 * (40 + 3),
    }


def test_a_conventional_network_multiplies_each_weight_once_a_sample():
    images = image_batch(MNISTSubset(train=False), torch.arange(0, 50, 10))
    count, found = conventional_work(LitAutoencoderANN(AEANN(784, 20)), images)
    assert (count, found["macs"]) == (5, 2 * 784 * 20)
    assert found["inputs_not_zero"] == pytest.approx(np.count_nonzero(images.images.numpy()) / (5 * 784))
    module = LitAudiocoderANN(ACANN(60, 8, 20), AEANN(784, 20), images.images)
    words = SpeechBatch(torch.rand(4, 6, 10), torch.zeros(4).long(), torch.arange(4), torch.zeros(4).long())
    assert conventional_work(module, words) == (4, {"macs": 60 * 8 + 8 * 20 + 20 * 784})


def test_stored_maps_have_the_codecs_bytes_and_the_error_of_what_they_show():
    network = firing_autoencoder(784, 20, gain=3.0)
    images = image_batch(MNISTSubset(train=False), torch.arange(0, 500, 60)).images.flatten(1)
    spikes = (torch.rand(6, *images.shape, generator=torch.Generator().manual_seed(0)) < images).float()
    samples, found = stored_maps(network, spikes, images)
    assert samples == len(images)
    assert {name: value for name, value in found.items() if "bytes" in name} == {
        "bytes, T_h = 5": 13,  # 100 bits
        "bytes, T_h = 2": 5,
        "bytes, T_h = 1": 3,
    }
    with torch.no_grad():
        hidden = network.encode(spikes)
        shown = network.decode(hidden[[0, 1, 0, 1, 0, 1]]).sum(0).double().numpy()
    z = [(one - one.mean(1, keepdims=True)) / one.std(1, keepdims=True).clip(1e-9) for one in (shown, images.numpy())]
    assert found["standardized_mse, T_h = 2"] == pytest.approx(((z[0] - z[1]) ** 2).mean(), abs=1e-4)
    assert pack(hidden).data.shape[1] == 15


def test_a_finished_trial_is_asked_what_its_result_is_too_old_to_say(tmp_path):
    first = IMAGES.run(0, tmp_path)
    folder = tmp_path / IMAGES.key(0)
    saved = AESNN.from_pretrained(folder / NETWORK)
    data = IMAGES.data(None, 0)
    data.setup("fit")
    module = IMAGES.module(0, data, tmp_path)
    module.network = saved
    batch = image_batch(data.test_set, torch.arange(500))
    with torch.no_grad():
        spikes = module.encode(batch.images, batch.index, HELD_OUT)
        fired = [spikes, *saved(spikes).layer_spikes]
    assert first["inference"]["spikes"] == pytest.approx(sum(one.sum().item() for one in fired) / 500)
    (folder / RESULT).write_text(json.dumps({key: one for key, one in first.items() if key != "inference"}))
    time = (folder / NETWORK / "model.safetensors").stat().st_mtime_ns
    again = IMAGES.run(0, tmp_path)
    assert again == first
    assert json.loads((folder / RESULT).read_text()) == first
    assert (folder / NETWORK / "model.safetensors").stat().st_mtime_ns == time, "nothing was trained again"


def test_a_word_costs_the_spikes_of_three_layers(tmp_path):
    root = write_fsdd(tmp_path / "data")
    trial = AudiocoderTrial(Recipe(lr=0.01, batch_size=10), IMAGES, hidden=32, num_steps=8, frames=20)
    found = trial.run(0, tmp_path, root)["inference"]
    assert found["updates"] == 8 * (32 + 30 + 784)
    assert found["operations"] >= 32 * found["spikes"] / 8 > 0
    ann = replace(trial, autoencoder=replace(IMAGES, kind="ann"))
    assert ann.run(0, tmp_path, root)["inference"] == {"macs": 780 * 32 + 32 * 30 + 30 * 784}


def test_a_search_reads_no_test_set_for_it(tmp_path):
    result = replace(IMAGES, search=True).run(0, tmp_path)
    assert not {"inference", "stored"} & set(result)

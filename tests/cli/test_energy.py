import json

import pytest
import torch
from PIL import Image

from snn_synth.cli import main
from snn_synth.data import MNISTSubset
from snn_synth.encoding import sample_keys
from snn_synth.evaluation import inference_spikes
from snn_synth.experiments import energy
from snn_synth.experiments.robustness import Words
from snn_synth.kernels import encode
from snn_synth.models import ACSNN, AESNN, AudioToImage
from snn_synth.training import LitAutoencoder
from tests.experiments.test_robustness import FRONT_END, Tones
from tests.training.tiny import firing_autoencoder, quiet_trainer


@pytest.fixture
def speech(tmp_path):
    AudioToImage(
        ACSNN(60, 12, 8, threshold=0.2), AESNN(9, 8, threshold=0.2), (1, 3, 3), FRONT_END.config()
    ).save_pretrained(tmp_path / "speech")
    return str(tmp_path / "speech")


def test_a_shipped_network_is_counted_on_images_and_the_constants_are_printed(tmp_path, capsys):
    out = tmp_path / "out"
    command = ["energy", "mnist", "--data", "mnist_subset", "--samples", "7", "--out", str(out)]
    assert main(command) == 0
    found = json.loads((out / "metrics.json").read_text())
    images = MNISTSubset(train=False).images[:7].flatten(1).float() / 255
    ae = AESNN.from_pretrained("mnist")
    spikes = encode(images, 15, keys=sample_keys(0, -1, torch.arange(7)))
    fired = [one.sum().item() / 7 for one in inference_spikes(ae, spikes).values()]
    assert [layer["spikes"] for layer in found["layers"].values()] == pytest.approx(fired)
    assert found["all"]["operations"] == pytest.approx(fired[0] * 196 + fired[1] * 784)
    assert found["all"]["macs"] == 2 * 784 * 196
    assert (found["samples"], found["num_steps"], found["seed"]) == (7, 15, 0)
    assert found["picojoules"] == {"addition": 0.9, "product": 3.7}
    printed = capsys.readouterr().out
    assert "means over 7 test images of mnist_subset, T = 15" in printed
    assert "0.9 pJ an addition" in printed
    assert "Horowitz" in printed
    assert f"{found['all']['operations']:,.0f}" in printed
    assert "NeuroBench" not in printed


def test_a_card_says_the_time_steps_and_the_images_of_a_shipped_network(tmp_path, monkeypatch):
    assert energy.training_settings("fashion-mnist-portable") == {"num_steps": "60", "images": "fashion_mnist"}
    assert energy.training_settings("fsdd")["num_steps"] == "30"
    monkeypatch.chdir(tmp_path)
    AESNN(9, 4).save_pretrained("mnist")
    assert energy.training_settings("mnist") == {}, "a folder of that name is another network"


def test_a_checkpoint_is_run_as_it_was_trained(tmp_path):
    module = LitAutoencoder(firing_autoencoder(784, 20), num_steps=6, max_rate=0.5, seed=3, code="even")
    trainer = quiet_trainer(tmp_path)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    out = tmp_path / "out"
    command = ["energy", str(tmp_path / "one.ckpt"), "--data", "mnist_subset", "--samples", "5", "--out", str(out)]
    assert main(command) == 0
    found = json.loads((out / "metrics.json").read_text())
    images = MNISTSubset(train=False).images[:5].flatten(1).float() / 255
    spikes = module.encode(images, torch.arange(5), -1)
    assert found["layers"]["input"]["spikes"] == pytest.approx(spikes.sum().item() / 5)
    assert (found["num_steps"], found["seed"]) == (6, 3)


@pytest.mark.parametrize(("inputs", "mode"), [(16, "L"), (48, "RGB")])
def test_a_folder_of_images_is_resized_to_what_the_network_takes(tmp_path, inputs, mode):
    for name in ("a", "b"):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.new(mode, (9, 9), "white").save(tmp_path / "images" / name / "1.png")
    AESNN(inputs, 4).save_pretrained(tmp_path / "ae")
    out = tmp_path / "out"
    assert main(["energy", str(tmp_path / "ae"), "--data", str(tmp_path / "images"), "--out", str(out)]) == 0
    found = json.loads((out / "metrics.json").read_text())
    assert found["samples"] == 2
    assert found["layers"]["input"] == {
        "neurons": inputs, "spikes": 15 * inputs, "operations": 15 * inputs * 4, "updates": 0, "macs": inputs * 4
    }  # fmt: skip


def test_a_speech_model_is_counted_from_the_spectrogram_to_the_image(speech, tmp_path, monkeypatch):
    words = Words(Tones(), [0, 15, 30])
    monkeypatch.setattr(energy, "find_test_words", lambda count: (words, None))
    out = tmp_path / "out"
    assert main(["energy", speech, "--num-steps", "4", "--seed", "2", "--out", str(out)]) == 0
    found = json.loads((out / "metrics.json").read_text())
    assert [layer["neurons"] for layer in found["layers"].values()] == [60, 12, 8, 9]
    assert (found["samples"], found["num_steps"], found["seed"]) == (3, 4, 2)
    assert found["layers"]["input"]["spikes"] > 0


def test_neurobenchs_count_stands_beside_ours(tmp_path, capsys):
    pytest.importorskip("neurobench.benchmarks")
    out = tmp_path / "out"
    command = ["energy", "mnist", "--data", "mnist_subset", "--samples", "30", "--neurobench", "--out", str(out)]
    assert main(command) == 0
    found = json.loads((out / "metrics.json").read_text())
    counted = found["neurobench"]["SynapticOperations"]["Effective_ACs"]
    assert counted == pytest.approx(found["all"]["operations"], rel=1e-6)
    assert f"{counted:,.0f} effective accumulates (ours {found['all']['operations']:,.0f})" in capsys.readouterr().out
    assert "neurobench" in found["versions"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "energy --help"),
        (["mnist", "--samples", "0"], "at least 1 sample, got 0"),
        (["mnist", "--num-steps", "0", "--data", "mnist_subset"], "Expected 1 to 5000 time steps"),
        (["mnist", "--data", "nothing"], "a folder of them, got 'nothing'"),
        (["mnist", "--out", "file"], "got the file file"),
        (["nowhere.ckpt"], "nowhere.ckpt"),
        (["mnist-temporal"], "Expected a network with `.layers` (a SpikingStack, say), got TemporalCodingAE"),
        (["mnist-classifier"], "got ImageClassifier"),
        (["small", "--data", "mnist_subset"], "Expected images of 9 values, which the network takes, got [1, 28, 28]"),
        (["speech", "--data", "nothing"], "words of ['fsdd', 'espeak'] or a folder of them, got 'nothing'"),
        (["speech", "--data", "fsdd"], "Expected the words of fsdd, got none of them: give --data espeak"),
        (["silent", "--data", "fsdd"], "Expected a model that holds its front end"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(tmp_path, monkeypatch, capsys, words, message):
    (tmp_path / "work" / "file").write_text("")
    AESNN(9, 4).save_pretrained("small")
    AudioToImage(ACSNN(60, 12, 8), AESNN(9, 8), (1, 3, 3), FRONT_END.config()).save_pretrained("speech")
    AudioToImage(ACSNN(60, 12, 8), AESNN(9, 8), (1, 3, 3)).save_pretrained("silent")
    monkeypatch.setattr(energy, "find_test_words", lambda count: (None, Words(Tones(), [0])))
    assert main(["energy", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "work" / "runs").exists()

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import wandb
from safetensors.torch import load_file

import snn_synth
from snn_synth.cli import main
from snn_synth.data import MNIST
from snn_synth.training import DriftingBlobsData

from .conftest import TINY

ROOT = Path(__file__).parents[2]


def fit(digits, *words):
    assert main(["fit", *TINY, "--data.root", str(digits), *words]) == 0


def metrics(path):
    return json.loads(Path(path).read_text())


def z(images):
    """Each image with mean 0 and population variance 1; a constant one is zeros."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    flat = flat - flat.mean(1, keepdims=True)
    deviation = np.sqrt((flat**2).mean(1, keepdims=True))
    return np.divide(flat, deviation, out=np.zeros_like(flat), where=deviation > 0)


@pytest.mark.slow
def test_fit_then_validate_test_and_predict_the_best_checkpoint(digits, capsys):
    fit(digits)
    run = Path("runs/ae_mnist")
    assert {path.name for path in run.iterdir()} >= {"best.ckpt", "config.yaml", "images", "logs", "metrics.json"}
    found = metrics(run / "metrics.json")
    assert found["checkpoint"] == "runs/ae_mnist/best.ckpt"
    assert found["command"] == "snn-synth fit " + " ".join(TINY) + f" --data.root {digits}"
    # Packages do not all have the build in their version.
    assert found["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found["versions"]["snn_synth"] == snn_synth.__version__
    assert found["seconds"].keys() == {"fit", "test"}

    words = [*TINY, "--data.root", str(digits)]
    assert main(["validate", *words]) == 0
    assert main(["test", *words]) == 0
    assert metrics(run / "validate.json")["val/standardized_mse"] == pytest.approx(
        found["val/standardized_mse"], abs=1e-6
    )
    assert metrics(run / "test.json")["test/standardized_mse"] == pytest.approx(
        found["test/standardized_mse"], abs=1e-6
    )

    # The metric, computed here from the images that `predict` wrote.
    assert main(["predict", *words]) == 0
    drawn = load_file(run / "predictions.safetensors")["images"].numpy()
    originals = MNIST(digits, train=False).images.numpy()
    assert drawn.shape == (20, 1, 28, 28)
    assert found["test/standardized_mse"] == pytest.approx(((z(drawn) - z(originals)) ** 2).mean(), abs=1e-5)
    assert (run / "predictions.png").read_bytes().startswith(b"\x89PNG")
    assert metrics(run / "metrics.json") == found, "the record of the fit stays"
    assert "runs/ae_mnist/predictions.safetensors" in capsys.readouterr().out


IMAGES = ["--data.batch_size=10", "--data.validation_fraction=0.25"]
TWO_STAGES = ["autoencoder_epochs=1", "--trainer.max_epochs=2"]
BLOBS = ["--data.sequences=40", "--data.steps=9", "--data.batch_size=20"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "small", "kind", "shape", "pictures"),
    [
        ("tc_mnist", ["network.hidden=4", *IMAGES], "images", (20, 1, 28, 28), {"images", "spikes"}),
        ("hv_mnist", ["network.hidden=8", "network.latent=4", *IMAGES], "images", (20, 1, 28, 28), {"images"}),
        ("hv_blobs", BLOBS, "predictions", (1000, 5), set()),
        ("gan_mnist", ["network.hidden=8", *IMAGES], "images", (20, 1, 14, 14), {"samples", "spikes"}),
        ("esvae_mnist", ["network.channels=[2,3]", *IMAGES], "images", (20, 1, 28, 28), {"images", "samples"}),
        ("vqd_mnist", ["network.denoiser.hidden=8", *IMAGES, *TWO_STAGES], "images", (20, 1, 28, 28), {"samples"}),
    ],
)
def test_a_generator_is_fitted_and_predicts_what_its_network_makes(digits, config, small, kind, shape, pictures):
    words = [f"--config={config}", "--trainer.accelerator=cpu", "--trainer.enable_model_summary=false"]
    words += ["--trainer.max_epochs=1", *(word if word[:2] == "--" else f"--model.{word}" for word in small)]
    words += [] if config == "hv_blobs" else [f"--data.root={digits}"]
    silent = pytest.warns(UserWarning, match="layer `code` is silent")  # so few channels wake no neuron in one epoch
    with silent if config == "esvae_mnist" else contextlib.nullcontext():
        assert main(["fit", *words]) == 0
    assert wandb.run is None, "what this process does next is not logged there"
    assert main(["predict", *words]) == 0
    run = Path("runs", config)
    assert {path.name for path in run.iterdir() if path.is_dir()} >= pictures
    assert all(any((run / kind).glob("*.png")) for kind in pictures)
    made = load_file(run / "predictions.safetensors")
    assert tuple(made[kind].shape) == shape
    assert (run / "predictions.png").exists() == (kind == "images")
    if kind == "predictions":  # the share that is right is the accuracy of the fit
        data = DriftingBlobsData(sequences=40, steps=9)
        data.setup("test")
        right = (data.batch(data.test_index).targets[4:] == made[kind].T).float().mean().item()
        assert right == pytest.approx(metrics(run / "metrics.json")["test/accuracy"], abs=1e-5)
    elif config == "tc_mnist":
        error = (made[kind] - MNIST(digits, train=False).images[:, None] / 255).square().mean().item()
        assert error == pytest.approx(metrics(run / "metrics.json")["test/pixel_mse"], abs=1e-5)


def test_a_config_of_before_fits_and_both_names_of_its_measure_are_in_metrics(digits):
    shipped = (ROOT / "configs" / "ae_mnist.yaml").read_text()
    Path("ae_mnist.yaml").write_text(
        shipped.replace("monitor: val/standardized_mse", "monitor: val/mse\n        mode: max")
    )
    rate = "--model.optimizer.lr=0.01", "--model.lr_scheduler.max_lr=0.01"
    with pytest.warns(UserWarning, match="ModelCheckpoint monitors val/mse, now val/standardized_mse"):
        assert main(["fit", "--config=ae_mnist.yaml", *TINY[1:], *rate, "--data.root", str(digits)]) == 0
    found, best = metrics("runs/ae_mnist/metrics.json"), torch.load("runs/ae_mnist/best.ckpt", weights_only=True)
    assert best["epoch"] == 0, "of two epochs the worse, whose score is not the last"
    (state,) = (state for name, state in best["callbacks"].items() if name.startswith("ModelCheckpoint"))
    for name in ("val/mse", "val/standardized_mse"):
        assert found[name] == pytest.approx(state["best_model_score"].item(), abs=1e-6)
    assert found["test/mse"] == found["test/standardized_mse"]


def test_the_test_set_stays_unread_if_asked(digits, monkeypatch):
    monkeypatch.setattr("lightning.pytorch.Trainer.test", lambda *_, **__: pytest.fail("the test set was read"))
    fit(digits, "--test_after_fit", "false")
    found = metrics("runs/ae_mnist/metrics.json")
    assert "val/standardized_mse" in found
    assert not any(name.startswith("test/") for name in found)


def test_the_online_rule_by_its_override(digits):
    fit(digits, "--config", "ae_mnist_online", "--trainer.max_epochs", "1")
    config = Path("runs/ae_mnist_online/config.yaml").read_text()
    assert "rule: online" in config
    assert "lr: 0.0005" in config
    assert "lr_scheduler: null" in config


@pytest.mark.slow
def test_a_second_run_replaces_the_first(digits):
    fit(digits, "--trainer.max_epochs", "1")
    fit(digits, "--trainer.max_epochs", "1", "--model.seed", "5")
    assert "seed: 5" in Path("runs/ae_mnist/config.yaml").read_text()
    assert [path.name for path in Path("runs/ae_mnist").glob("best*")] == ["best.ckpt"]


def test_a_saved_config_is_a_config(digits):
    fit(digits, "--trainer.max_epochs", "1")
    saved = Path("saved.yaml")
    saved.write_bytes(Path("runs/ae_mnist/config.yaml").read_bytes())
    before = metrics("runs/ae_mnist/metrics.json")
    assert main(["fit", "--config", str(saved), "--trainer.default_root_dir", "runs/again"]) == 0
    assert metrics("runs/again/metrics.json")["test/standardized_mse"] == before["test/standardized_mse"]


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_the_same_command_gives_the_same_numbers_twice(digits, rule):
    words = ["--config=ae_mnist_online"] if rule == "online" else []
    found = []
    for run in ("first", "second"):
        fit(digits, *words, "--trainer.default_root_dir", f"runs/{run}", "--trainer.max_epochs=1")
        torch.rand(7), np.random.rand(7)  # what has been drawn before is no matter
        numbers = metrics(f"runs/{run}/metrics.json")
        found.append({key: numbers[key] for key in numbers.keys() - {"seconds", "command", "checkpoint"}})
    assert found[0] == found[1]
    assert "test/standardized_mse" in found[0]


@pytest.mark.slow
def test_fit_goes_on_from_its_checkpoint(digits):
    def weights(run):
        return torch.load(f"runs/{run}/resume.ckpt", weights_only=True)["state_dict"]["network.layers.0.0.weight"]

    fit(digits)
    root = ("--trainer.default_root_dir", "runs/parts")
    with pytest.MonkeyPatch.context() as patch:  # not a run of one epoch, whose learning rates would be others
        patch.setattr("snn_synth.training.ResumeCheckpoint.on_train_epoch_end", stop_after_saving)
        fit(digits, *root)
    assert not torch.equal(weights("parts"), weights("ae_mnist"))
    fit(digits, *root, "--ckpt_path", "runs/parts/resume.ckpt")
    assert torch.equal(weights("parts"), weights("ae_mnist"))
    assert (
        metrics("runs/parts/metrics.json")["test/standardized_mse"]
        == metrics("runs/ae_mnist/metrics.json")["test/standardized_mse"]
    )
    assert "ckpt_path: null" in Path("runs/parts/config.yaml").read_text()


def stop_after_saving(self, trainer, pl_module):
    self._save(trainer)
    trainer.should_stop = True

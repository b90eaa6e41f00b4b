"""What bad input gets: exit code 2, one sentence with what was expected, nothing half-written (see `refused`)."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from snn_synth.cli import main
from snn_synth.cli.configs import find
from snn_synth.data import MNIST, MelSpectrogram
from snn_synth.models import AESNN
from snn_synth.training import LitAutoencoder
from tests.training.tiny import write_fsdd

from .conftest import TINY, save, vowel, write_idx


@pytest.fixture
def synthesize(refused, checkpoint, word, tmp_path):
    """A refused `synthesize` of the files that are given, or of a good word; a good file beside bad ones is drawn."""

    def run(*words, checkpoint=checkpoint, out=tmp_path / "out"):
        files = [] if any(isinstance(one, Path) for one in words) else [word]
        return refused("synthesize", "--checkpoint", checkpoint, "--out", out, *files, *words)

    return run


@pytest.fixture
def fit(refused, digits):
    """A refused `fit` of the tiny config."""
    return lambda *words, root=digits: refused("fit", *TINY, "--data.root", root, *words)


def sound(path, samples, rate=8000, **options):
    soundfile.write(path, samples, rate, **options)
    return path


# Sound files


def test_a_file_that_is_no_audio(synthesize, tmp_path):
    path = tmp_path / "notes.wav"
    path.write_text("Dear diary, ...")
    message = synthesize(path)
    assert str(path) in message
    assert "WAV" in message


def test_a_missing_file(synthesize, tmp_path):
    assert str(tmp_path / "gone.wav") in synthesize(tmp_path / "gone.wav")


def test_an_empty_file(synthesize, tmp_path):
    nothing = tmp_path / "nothing.wav"
    nothing.touch()
    assert str(nothing) in synthesize(nothing)
    assert "none" in synthesize(sound(tmp_path / "header.wav", np.zeros(0)))


def test_a_silent_file(synthesize, tmp_path):
    assert "silence" in synthesize(sound(tmp_path / "silent.wav", np.zeros(8000)))


def test_a_file_with_nan(synthesize, tmp_path):
    samples = vowel(8000)
    samples[100] = np.nan
    assert "NaN" in synthesize(sound(tmp_path / "nan.wav", samples, subtype="FLOAT"))


def test_a_file_of_ten_minutes(synthesize, tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 600 * 8000).astype(np.float32)
    message = synthesize(sound(tmp_path / "long.wav", noise))
    assert "600.0 seconds" in message
    assert "at most 30" in message


def test_a_wav_file_cut_short(synthesize, tmp_path):
    path = sound(tmp_path / "cut.wav", vowel(8000))
    path.write_bytes(path.read_bytes()[:3000])
    assert "cut short" in synthesize(path)


# Checkpoints


def test_a_missing_checkpoint(synthesize, tmp_path):
    assert str(tmp_path / "none.ckpt") in synthesize(checkpoint=tmp_path / "none.ckpt")


def test_a_checkpoint_of_another_model(synthesize, tmp_path):
    other = save(LitAutoencoder(AESNN(784, 12)), tmp_path / "autoencoder.ckpt")
    message = synthesize(checkpoint=other)
    assert "Expected a checkpoint of LitAudiocoder" in message
    assert "LitAutoencoder" in message


def test_a_checkpoint_that_fit_made_of_another_model(synthesize, refused, digits):
    assert main(["fit", *TINY, "--data.root", str(digits), "--trainer.max_epochs", "1"]) == 0
    best = "runs/ae_mnist/best.ckpt"
    assert "LitAutoencoder" in synthesize(checkpoint=best)
    message = refused("fit", "--config", "a2i_fsdd", "--ckpt_path", best)
    assert "Expected a checkpoint of LitAudiocoder" in message
    assert "LitAutoencoder" in message


def test_a_truncated_checkpoint(synthesize, fit, checkpoint, tmp_path):
    cut = tmp_path / "cut.ckpt"
    content = checkpoint.read_bytes()
    for size in (0, 100, len(content) // 2, len(content) - 10):
        cut.write_bytes(content[:size])
        assert str(cut) in synthesize(checkpoint=cut)
    assert str(cut) in fit("--ckpt_path", cut)


class Code:
    """Runs a command when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_a_pickle_with_code_in_it_does_not_run(synthesize, fit, checkpoint, tmp_path):
    marker = tmp_path / "executed"
    content = torch.load(checkpoint, weights_only=True) | {"surprise": Code(marker)}
    evil = tmp_path / "evil.ckpt"
    torch.save(content, evil)
    assert "code" in synthesize(checkpoint=evil)
    assert "code" in fit("--ckpt_path", evil)
    assert not marker.exists()
    torch.load(evil, weights_only=False)
    assert marker.exists(), "the test needs a pickle that would have run"


def test_a_checkpoint_whose_front_end_has_another_shape(synthesize, checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    content["front_end"] = MelSpectrogram(channels=8, frames=11).config()
    torch.save(content, tmp_path / "other.ckpt")
    message = synthesize(checkpoint=tmp_path / "other.ckpt")
    assert "80" in message
    assert "[1, 8, 11]" in message


def test_weights_of_another_shape(synthesize, checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"] = {
        name: value[:, :5] if value.ndim == 2 else value for name, value in content["state_dict"].items()
    }
    torch.save(content, tmp_path / "other.ckpt")
    assert "Expected a checkpoint of LitAudiocoder" in synthesize(checkpoint=tmp_path / "other.ckpt")


def test_a_checkpoint_of_other_settings(fit, digits):
    assert main(["fit", *TINY, "--data.root", str(digits), "--trainer.max_epochs", "1"]) == 0
    words = ("--model.network.hidden", 17, "--ckpt_path", "runs/ae_mnist/best.ckpt")
    message = fit(*words, "--trainer.default_root_dir", "runs/other")
    assert "`network.hidden` to be 16" in message
    assert "17" in message


def test_a_run_that_cannot_start_leaves_the_one_before_as_it_is(digits, capsys):
    words = [*TINY, "--data.root", str(digits), "--trainer.max_epochs", "1"]
    assert main(["fit", *words]) == 0
    record = {path.name: path.read_bytes() for path in Path("runs/ae_mnist").iterdir() if path.is_file()}
    assert record.keys() >= {"best.ckpt", "config.yaml", "metrics.json", "resume.ckpt"}
    assert main(["fit", *words, "--model.network.inputs", "700"]) == 2
    assert "700 inputs" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in Path("runs/ae_mnist").iterdir() if path.is_file()} == record


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_a_measurement_before_any_fit(command, refused):
    message = refused(command, "--config", "ae_mnist")
    assert "runs/ae_mnist/best.ckpt" in message


# Settings


def test_num_steps_of_zero(synthesize, fit):
    for message in (synthesize("--num-steps", 0), fit("--model.num_steps", 0)):
        assert "num_steps" in message
        assert "0" in message


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--model.num_stepz 3", ["model", "num_stepz"]),
        ("--trainer.epochs 3", ["trainer.epochs"]),
        ("--colour red", ["--colour"]),
        ("--model.num_steps many", ["model.num_steps", "int", "many"]),
        ("--model.rule magic", ["model.rule", "bptt", "online", "magic"]),
        ("--model LitNothing", ["model", "LitNothing"]),
        ("--model.max_rate 1.5", ["max_rate", "1.5"]),
        ("--model.code morse", ["code", "poisson", "even", "morse"]),
        ("--model.lr_scheduler.init_args.div_factor 0", ["div_factor", "above 0"]),
        ("--model.lr_scheduler.init_args.total_steps 3", ["total_steps", "the 6 batches of this run"]),
        ("--model.num_steps 1000000000000", ["memory", "num_steps"]),
        ("--model.optimizer.lr -1", ["learning rate", "-1"]),
        ("--model.optimizer.learning_rate 1", ["learning_rate"]),
        ("--data.batch_size 0", ["batch_size", "0"]),
        ("--model.network.inputs 700", ["700 inputs", "784"]),
        ("--trainer.max_epochs -5", ["max_epochs", "-5"]),
        ("--trainer.devices 0", ["devices", "0"]),
        ("--config", ["config"]),
    ],
)
def test_a_wrong_setting_is_named(words, named, fit):
    message = fit(*words.split())
    assert all(name in message for name in named), message


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("num_steps:", "num_stepz:", "num_stepz"),
        ("max_epochs:", "max_epochz:", "max_epochz"),
        ("weight_decay:", "weightdecay:", "weightdecay"),
        ("batch_size: 10\n", "batch_size: few\n", "few"),
        ("class_path: snn_synth.models.AESNN", "class_path: snn_synth.models.AESMN", "AESMN"),
    ],
)
def test_a_wrong_key_in_a_config_is_named(old, new, named, refused, tmp_path):
    path = tmp_path / "mine.yaml"
    content = find("ae_mnist").read_text()
    assert old in content
    path.write_text(content.replace(old, new))
    assert named in refused("fit", "--config", path)


@pytest.mark.parametrize("content", [b"model: [", b"\xff\xfe\x00", b"", b"just words"])
def test_a_config_that_is_none(content, refused, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    assert str(path) in refused("fit", "--config", path)


def test_a_missing_config(refused):
    message = refused("fit", "--config", "nothing.yaml")
    assert "nothing.yaml" in message
    assert "ae_mnist" in message
    assert "--config" in refused("fit")


# Data


@pytest.fixture
def no_mirrors(monkeypatch):
    """Nothing can be downloaded."""
    monkeypatch.setattr(MNIST, "mirrors", ("http://127.0.0.1:9/",))


@pytest.mark.usefixtures("no_mirrors")
def test_a_data_folder_that_lacks_a_file(fit, digits):
    missing = digits / "mnist" / "train-labels-idx1-ubyte.gz"
    missing.unlink()
    message = fit()
    assert missing.name in message
    assert str(missing.parent) in message
    assert "SNN_SYNTH_DATA" in message


def test_a_corpus_that_lacks_a_file(refused, digits):
    write_fsdd(digits)
    (digits / "fsdd" / "recordings" / "3_george_1.wav").unlink()
    message = refused("fit", "--config", "a2i_fsdd", "--trainer.accelerator", "cpu", "--data.root", digits)
    assert "3_george_1.wav" in message
    assert str(digits / "fsdd" / "recordings") in message


def test_a_corpus_with_a_corrupt_file(refused, digits):
    write_fsdd(digits)
    path = digits / "fsdd" / "recordings" / "3_george_1.wav"
    path.write_bytes(path.read_bytes()[:500])
    assert str(path) in refused("fit", "--config", "a2i_fsdd", "--trainer.accelerator", "cpu", "--data.root", digits)


def test_a_corrupt_idx_file(fit, digits):
    images = digits / "mnist" / "train-images-idx3-ubyte.gz"
    whole = images.read_bytes()
    images.write_bytes(whole[: len(whole) // 2])
    assert str(images) in fit()
    images.write_bytes(gzip.compress(b"not an IDX file"))
    assert str(images) in fit()
    images.write_bytes(gzip.compress(gzip.decompress(whole)[:-1]))
    assert "[40, 28, 28]" in fit()


def test_images_of_another_shape(fit, digits):
    images = digits / "mnist" / "train-images-idx3-ubyte.gz"
    write_idx(images, np.zeros((40, 28, 27)))
    assert "[40, 28, 27]" in fit()


def test_a_corpus_that_does_not_fit_the_network(refused, digits):
    write_fsdd(digits)
    words = ("--data.root", digits, "--data.front_end.frames", 50)
    message = refused("fit", "--config", "a2i_fsdd", "--trainer.accelerator", "cpu", *words)
    assert "1950 inputs" in message
    assert "3900" in message


def test_an_autoencoder_that_is_not_there(refused, digits):
    write_fsdd(digits)
    words = ("--data.root", digits, "--model.autoencoder", "gone", "--trainer.num_sanity_val_steps", 0)
    assert "gone" in refused("fit", "--config", "a2i_fsdd", "--trainer.accelerator", "cpu", *words)


# Permissions (root may write anywhere, so the folder is one that nobody can make)


@pytest.mark.parametrize("place", ["file/out", "file"])
def test_pictures_where_nothing_can_be_written(place, synthesize, tmp_path):
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in synthesize(out=tmp_path / place)


@pytest.mark.parametrize("place", ["file/run", "file"])
def test_a_run_where_nothing_can_be_written(place, fit, tmp_path):
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in fit("--trainer.default_root_dir", tmp_path / place)


def test_what_was_there_before_stays(fit):
    Path("runs").mkdir()
    Path("runs/notes.txt").write_text("mine")
    fit("--model.network.inputs", 700)
    assert Path("runs/notes.txt").read_text() == "mine"

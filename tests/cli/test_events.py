"""Events on the command line: the shipped configs end to end, and one sentence for each file that is wrong."""

import json
from pathlib import Path

import pytest

from snn_synth.cli import main
from snn_synth.data import DIGIT_WORDS
from tests.journey import blocks
from tests.recordings import write_nmnist, write_spike_file
from tests.training.test_shd import write_shd, write_ssc

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
QUICK = ["--trainer.accelerator=cpu", "--trainer.enable_model_summary=false", "--trainer.log_every_n_steps=1"]
SHD = ["--config=shd_a2i", *QUICK, "--data.images=mnist_subset", "--model.autoencoder=mnist"]


@pytest.mark.slow
def test_shd_a2i_learns_which_digit_to_draw_and_measures_voices_never_heard(tmp_path, capsys):
    root = write_shd(tmp_path / "data", train=6)
    settings = ["--trainer.max_epochs=3", "--model.network.hidden=100", "--data.batch_size=10"]
    settings += ["--model.num_steps=10", "--data.num_steps=10", "--data.step=40000"]
    settings += ["--model.network.threshold=0.2"]  # few spikes come in
    words = ["fit", *SHD, f"--data.root={root}", "--data.split=held-out-speakers", *settings]
    assert main(words) == 0
    run = Path("runs/shd_a2i")
    measured = json.loads((run / "metrics.json").read_text())
    assert measured["test/nearest_class"] > 0.5, "of ten digits"
    assert measured["heard/nearest_class"] > 0.5
    assert len(list((run / "images").glob("*.png"))) == 3
    assert main(["test", *words[1:]]) == 0
    (example,) = (block for block in blocks(PAGE.read_text()) if block.language == "python")
    exec(compile(example.code.replace("/my/data", str(root)), str(PAGE), "exec"), names := {})
    assert names["images"].shape == (3, 1, 28, 28)
    capsys.readouterr()
    Path("word.wav").write_bytes(b"")
    assert main(["synthesize", f"--checkpoint={run / 'best.ckpt'}", "--out=pictures", "word.wav"]) == 2
    assert "front end" in capsys.readouterr().err


@pytest.mark.slow
def test_shd_a2i_learns_by_the_online_rule(tmp_path):
    root = write_shd(tmp_path / "data", train=1)
    words = ["fit", *SHD, f"--data.root={root}", "--trainer.max_epochs=1", "--model.network.hidden=20"]
    words += ["--data.validation_fraction=0.25", "--model.num_steps=5", "--data.num_steps=5"]
    words += ["--model.network.threshold=0.2"]  # few spikes come in
    assert main([*words, "--model.rule=online", "--model.loss=membrane", "--model.lr_scheduler=null"]) == 0
    assert Path("runs/shd_a2i/metrics.json").is_file()


@pytest.mark.slow
def test_shd_a2i_takes_the_digits_of_ssc(tmp_path):
    words = [*DIGIT_WORDS, "marvin"]
    arguments = ["--data=SSCData", f"--data.root={write_ssc(tmp_path / 'data', words, takes=8)}"]
    arguments += ["--data.images=mnist_subset", "--data.batch_size=10", "--data.num_steps=10", "--data.step=40000"]
    arguments += ["--model.num_steps=10", "--model.network.hidden=100", "--model.network.threshold=0.2"]
    arguments += ["--model.autoencoder=mnist", "--trainer.max_epochs=6", "--trainer.default_root_dir=runs/ssc"]
    assert main(["fit", "--config=shd_a2i", *QUICK, *arguments]) == 0
    assert json.loads(Path("runs/ssc/metrics.json").read_text())["test/nearest_class"] > 0.5, "of ten digits"


def write_saccades(root):
    """Five recordings of each digit to train and one to test, a bar of six rows for each digit."""
    for part, count in (("Train", 5), ("Test", 1)):
        for digit in range(10):
            pixels = [(x, y, digit % 2) for y in range(3 * digit, 3 * digit + 6) for x in range(34)]
            for number in range(count):
                bar = [(*pixel, 21_000 * t + number) for t in range(15) for pixel in pixels]
                write_nmnist(root / "nmnist" / part / str(digit) / f"{number:05d}.bin", bar)
    return root


@pytest.mark.slow
def test_ae_nmnist_runs_end_to_end(tmp_path):
    root = write_saccades(tmp_path / "data")
    settings = ["--model.network.hidden=64", "--data.batch_size=2", "--data.validation_fraction=0.2"]
    assert main(["fit", "--config=ae_nmnist", *QUICK, f"--data.root={root}", "--trainer.max_epochs=4", *settings]) == 0
    run = Path("runs/ae_nmnist")
    measured = json.loads((run / "metrics.json").read_text())
    assert measured["test/standardized_mse"] < 0.9, "1 is a network that is silent"
    assert len(list((run / "images").glob("*.png"))) == 4
    assert main(["predict", "--config=ae_nmnist", *QUICK, f"--data.root={root}", *settings]) == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "shd_train.h5 in "),
        (b"no HDF5", "Expected an HDF5 file of SHD or SSC, got "),
    ],
)
def test_a_file_that_is_not_shds_is_refused_before_anything_is_written(refused, tmp_path, content, sentence):
    (tmp_path / "data" / "shd").mkdir(parents=True)
    if content is not None:
        (tmp_path / "data" / "shd" / "shd_train.h5").write_bytes(content)
    assert sentence in refused("fit", *SHD, f"--data.root={tmp_path / 'data'}")


@pytest.mark.parametrize(
    ("word", "label", "sentence"),
    [
        (([0.1], [700]), 0, "Expected units from 0 to 699, got 700 of word 0"),
        (([0.1], [7]), 20, "Expected labels from 0 to 19, places in extra/keys, got 20 of word 0"),
        (([float("nan")], [7]), 0, "Expected times that are finite numbers of seconds, got others of word 0"),
    ],
)
def test_words_that_cannot_be_are_refused(refused, tmp_path, word, label, sentence):
    write_spike_file(tmp_path / "data" / "shd" / "shd_train.h5", [word], [label], [0])
    assert sentence in refused("fit", *SHD, f"--data.root={tmp_path / 'data'}")


def test_a_recording_of_n_mnist_that_ends_early_is_refused(refused, tmp_path):
    root = write_saccades(tmp_path / "data")
    cut = root / "nmnist" / "Train" / "7" / "00003.bin"
    cut.write_bytes(cut.read_bytes()[:-1])
    said = refused("fit", "--config=ae_nmnist", *QUICK, f"--data.root={root}")
    assert said.startswith("Expected a recording of N-MNIST, five bytes for each event, got 15299 bytes in ")
    assert str(cut) in said


def test_missing_recordings_are_said(refused, tmp_path):
    said = refused("fit", "--config=ae_nmnist", *QUICK, f"--data.root={tmp_path}")
    assert "unpack Train.zip and Test.zip of https://www.garrickorchard.com/datasets/n-mnist into" in said

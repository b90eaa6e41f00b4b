"""The paper's own data, in the layout in which the LDC delivers it."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from snn_synth.cli import main
from snn_synth.training import LitAudiocoder

TAKES = {
    "TRAIN": [f"SET{k}" for k in range(10)],
    "TEST": [f"S{session}T{token}" for session in range(8) for token in (0, 1)],
}


@pytest.fixture
def ti46(digits):
    """A speaker's 26 takes of ten digits and two more words: tones as high as the digit, NIST SPHERE at 12.5 kHz."""
    noise = np.random.default_rng(0)
    time = np.arange(1250) / 12500
    for word in range(12):
        for part, takes in TAKES.items():
            folder = digits / "ti46" / "TI20" / part / "F1"
            folder.mkdir(parents=True, exist_ok=True)
            for take in takes:
                tone = np.sin(2 * np.pi * (300 + 300 * word) * time) + 0.05 * noise.standard_normal(len(time))
                soundfile.write(folder / f"{word:02}F1{take}.WAV", 0.4 * tone, 12500, format="NIST", subtype="PCM_16")
    return digits


@pytest.mark.slow
def test_one_config_trains_on_the_papers_split_and_draws_an_image_of_each_test_word(ti46):
    words = [f"--data.root={ti46}", "--trainer.accelerator=cpu", "--trainer.max_epochs=2", "--model.num_steps=4"]
    words += ["--model.network.hidden=8", "--model.network.code=12", "--trainer.limit_train_batches=2"]
    assert main(["fit", "--config=a2i_ti46", *words]) == 0
    run = Path("runs/a2i_ti46")
    module = LitAudiocoder.load_from_checkpoint(run / "best.ckpt", weights_only=True)
    assert module.network.sizes == [58500, 8, 12]
    assert (module.rule, module.loss, module.hidden_steps) == ("online", "membrane", 15)
    papers = {"hidden": 12, "alpha": 0.1, "slope": 1.0, "reset": "zero", "learned": False}
    assert papers.items() <= module.autoencoder.config.items()
    assert module.front_end["class_path"].endswith("LyonCochleagram")
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0 < metrics["test/standardized_mse"] <= 4
    assert torch.load(run / "resume.ckpt", weights_only=True)["epoch"] == 1


def test_the_split_is_85_to_15_of_all_takes_and_every_digit_is_in_both(ti46, monkeypatch):
    from snn_synth.cli.trainer import SynthCLI
    from snn_synth.cli.undo import Undo

    monkeypatch.setattr(SynthCLI, "fit", lambda self, **arguments: None)
    with Undo() as undo:
        data = SynthCLI(
            ["fit", "--config=a2i_ti46", f"--data.root={ti46}", "--trainer.accelerator=cpu"], undo
        ).datamodule
    data.prepare_data()
    data.setup("fit")
    assert len(data.corpus) == 260
    assert (len(data.train_index), len(data.validation_index), len(data.test_index)) == (220, 0, 40)
    assert data.spectrograms.shape == (260, 39, 1500)
    for index in (data.train_index, data.test_index):
        assert data.corpus.labels[index].unique().tolist() == list(range(10))
        parts = {data.corpus.files[place].parent.parent.name for place in index}
        assert parts == {"TRAIN", "TEST"}, "the LDC's own parts are mixed"
    assert not set(data.train_index.tolist()) & set(data.test_index.tolist())

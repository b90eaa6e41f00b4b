"""`synthesize --imagine`: new images of each word."""

import json

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from snn_synth.cli import main
from snn_synth.data import MelSpectrogram, build_front_end, read_audio
from snn_synth.data.espeak import speak
from snn_synth.experiments.imagination import load
from snn_synth.models import (
    ACSNN,
    AESNN,
    AudioToImage,
    CodeCondition,
    ImageClassifier,
    SpikingTokenDenoiser,
    SpikingVQAE,
    SpikingVQDiffusion,
    SpokenDiffusion,
)
from snn_synth.training import LitSpokenDiffusion

from ..training.tiny import write_fsdd
from .conftest import save, vowel


def parts():
    torch.manual_seed(0)
    audiocoder, autoencoder = ACSNN(80, 24, 12), AESNN(784, 12)
    with torch.no_grad():
        for weight in (*audiocoder.parameters(), *autoencoder.parameters()):
            weight.abs_()
    front_end = MelSpectrogram(channels=8, frames=10).config()
    audio = AudioToImage(audiocoder, autoencoder, front_end=front_end, labels=["left", "right"])
    denoiser = SpikingTokenDenoiser(5, 49, 2, hidden=8)
    torch.nn.init.normal_(denoiser.bias)
    return audio, SpikingVQDiffusion(SpikingVQAE(28, (4, 4), 3, 5), denoiser).eval()


@pytest.fixture
def saved(tmp_path):
    SpokenDiffusion(*parts(), CodeCondition(12, 2)).save_pretrained(tmp_path / "spoken")
    return tmp_path / "spoken"


def imagine(model, out, *words):
    return main(["synthesize", "--checkpoint", str(model), "--out", str(out), "--imagine", *map(str, words)])


def test_a_row_of_new_images_for_each_word(saved, tmp_path, capsys):
    quiet = np.zeros(4000)
    soundfile.write(tmp_path / "two.wav", np.concatenate([quiet, vowel(8000), quiet, vowel(8000), quiet]), 8000)
    assert imagine(saved, tmp_path / "out", 3, tmp_path / "two.wav") == 0
    assert "5 pictures" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "two-imagined.png") as picture:
        assert picture.height / picture.width == pytest.approx(2 / 3, abs=0.05), "two rows of three"
    (entry,) = json.loads((tmp_path / "out" / "heard.json").read_text())["files"]
    assert entry["pictures"]["imagined"] == "two-imagined.png"
    assert len(entry["words"]) == 2


def test_a_recording_has_the_same_images_again_and_another_has_others(saved, word, tmp_path):
    other = tmp_path / "eight.wav"
    soundfile.write(other, 0.9 * read_audio(word)[0].numpy(), 8000)
    assert imagine(saved, tmp_path / "one", 4, word, other) == 0
    assert imagine(saved, tmp_path / "two", 4, word) == 0
    assert imagine(saved, tmp_path / "three", 4, word, "--seed", 1) == 0
    first = (tmp_path / "one" / "seven-imagined.png").read_bytes()
    assert (tmp_path / "two" / "seven-imagined.png").read_bytes() == first
    assert (tmp_path / "one" / "eight-imagined.png").read_bytes() != first
    assert (tmp_path / "three" / "seven-imagined.png").read_bytes() != first


def test_a_checkpoint_says_how_its_model_is_run(word, tmp_path):
    module = LitSpokenDiffusion(CodeCondition(12, 2), guidance=1.5, num_steps=9, max_rate=0.5, seed=3, code="even")
    module.adopt(*parts())
    path = save(module, tmp_path / "spoken.ckpt")
    spoken, source = load(str(path))
    assert (source.num_steps, source.max_rate, source.seed, source.code) == (9, 0.5, 3, "even")
    assert spoken.diffusion.guidance == 1.5
    assert not spoken.training
    for (name, there), found in zip(module.audio.state_dict().items(), spoken.audio.state_dict().values(), strict=True):
        assert torch.equal(there, found), name
    assert imagine(path, tmp_path / "out", 2, word) == 0


def test_without_a_checkpoint_the_shipped_networks_draw_what_was_said(tmp_path):
    rate, sounds = speak({"voice": "en-us", "takes": [[name, 160, 50, 50] for name in ("seven", "three")]})
    paths = []
    for name, sound in zip(("seven", "three"), sounds, strict=True):
        paths.append(tmp_path / f"{name}.wav")
        soundfile.write(paths[-1], sound, rate)
    assert main(["synthesize", "--out", str(tmp_path / "out"), "--imagine", "2", *map(str, paths)]) == 0
    spoken, source = load("fsdd")
    assert spoken.diffusion.guidance == 0.5
    classifier = ImageClassifier.from_pretrained("mnist-classifier")
    for sound, label in zip(sounds, (7, 3), strict=True):
        values = build_front_end(source.model.front_end)(torch.tensor(sound / 32768), rate)
        drawn = spoken(values[None], 20, torch.Generator().manual_seed(0))[0]
        assert (classifier.probabilities(drawn).argmax(1) == label).float().mean() >= 0.75


@pytest.mark.parametrize("count", [0, 101])
def test_how_many(count, saved, word, tmp_path, refused):
    message = refused("synthesize", "--checkpoint", saved, "--out", tmp_path / "out", "--imagine", count, word)
    assert message == f"Expected --imagine from 1 to 100, got {count}"


def test_a_model_of_another_kind(saved, word, tmp_path, refused):
    parts()[0].save_pretrained(tmp_path / "audio")
    message = refused("synthesize", "--checkpoint", tmp_path / "audio", "--out", tmp_path / "out", "--imagine", 2, word)
    assert message.startswith("Expected a saved SpokenDiffusion, which draws new images of a word, got ")
    assert "with a AudioToImage: `snn-synth fit --config imagine_fsdd` trains one" in message
    message = refused("synthesize", "--checkpoint", saved, "--out", tmp_path / "out", word)
    assert "Expected a saved AudioToImage, which draws from sound, got" in message


@pytest.mark.slow
def test_the_config_trains_one_that_draws(digits, word, tmp_path):
    write_fsdd(digits)
    words = ["--config=imagine_fsdd", "--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--data.split=random"]
    assert main(["fit", *words, "--trainer.enable_model_summary=false", f"--data.root={digits}"]) == 0
    assert list(tmp_path.glob("work/runs/imagine_fsdd/samples/*.png")), "samples are drawn after each validation"
    assert imagine("runs/imagine_fsdd/best.ckpt", tmp_path / "out", 2, word) == 0
    assert (tmp_path / "out" / "seven-imagined.png").is_file()

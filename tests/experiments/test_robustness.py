import hashlib

import pytest
import torch

from snn_synth.data import MelSpectrogram, SpokenDigits
from snn_synth.errors import InputError
from snn_synth.experiments import robustness
from snn_synth.functional import gallery_mse
from snn_synth.models import ACSNN, AESNN, AudioToImage

FRONT_END = MelSpectrogram(channels=6, frames=10)


class Tones(SpokenDigits):
    """Each digit a tone of its own, by two speakers, three times."""

    def __init__(self):
        self.sample_rate = 8000
        self.labels = torch.arange(10).repeat_interleave(6)
        self.speakers = ["ann", "ann", "ann", "bob", "bob", "bob"] * 10
        self.takes = [0, 1, 2] * 20

    def __getitem__(self, index):
        time = torch.arange(2400) / 8000
        digit = int(self.labels[index])
        return 0.5 * torch.sin(2 * torch.pi * (200 + 150 * digit + 5 * self.takes[index]) * time), digit

    def fingerprint(self):
        return hashlib.sha256(b"tones").hexdigest()


@pytest.fixture
def model():
    torch.manual_seed(0)
    front_end = FRONT_END.config()
    return AudioToImage(ACSNN(60, 12, 8), AESNN(9, 8), (1, 3, 3), front_end, labels=[str(digit) for digit in range(10)])


@pytest.fixture
def gallery():
    return torch.rand(10, 1, 3, 3, generator=torch.Generator().manual_seed(1))


def test_each_condition_is_measured_and_the_clean_one_is_what_the_model_draws(model, gallery):
    words = robustness.Words(Tones(), [0, 7, 20, 59])
    found = robustness.measure(model, gallery, words, words, num_steps=5, seed=3, progress=False)
    assert list(found)[:2] == ["clean", "espeak's unheard voices"]
    assert {name.split()[0].strip(",x") for name in found} >= {"gain", "noise", "background", "speed", "said", "48"}
    spectrograms = torch.stack([FRONT_END(words.corpus[index][0], 8000) for index in words.places])
    drawn = model.synthesize(spectrograms, 5, torch.Generator().manual_seed(3))
    errors = gallery_mse(drawn, gallery)
    labels = torch.tensor([0, 1, 3, 9])
    assert found["clean"]["right"] == pytest.approx((errors.argmin(1) == labels).float().mean().item())
    assert found["clean"]["standardized_mse"] == pytest.approx(errors[range(4), labels].mean().item(), abs=1e-4)
    assert found["gain x0.1"] == found["clean"] == found["espeak's unheard voices"]
    assert all(0 <= one["right"] <= 1 and one["words"] == 4 for one in found.values())


def test_a_recording_of_two_words_is_right_if_both_are_found_and_right(model, gallery, monkeypatch):
    words = robustness.Words(Tones(), [0])
    (condition,) = [one for one in robustness.CONDITIONS if one.split]
    drawing = robustness._Drawing(model, gallery, FRONT_END, 5, 1.0, 0, "poisson")
    bar = type("Bar", (), {"update": lambda self: None})()
    right = torch.ones(2, 10)
    right[:, 0] = 0
    monkeypatch.setattr(robustness._Drawing, "errors", lambda self, s: right[: len(s)])
    assert drawing.measure(words, condition, bar)["right"] == 1
    right[1, 0] = 2
    assert drawing.measure(words, condition, bar)["right"] == 0
    right[1, 0] = 0
    monkeypatch.setattr(robustness, "find_words", lambda x, *_: [(0, len(x))])
    assert drawing.measure(words, condition, bar)["right"] == 0


@pytest.mark.parametrize("count", [1, 5, 10, 20, 40, 60, None])
def test_words_are_spread_over_digits_and_speakers(count):
    corpus = Tones()
    found = robustness.spread(corpus, list(range(60)), count)
    assert len(found) == len(set(found)) == (count or 60)
    digits = torch.bincount(corpus.labels[found], minlength=10)
    assert digits.max() - digits.min() <= 1
    said = [corpus.speakers[index] for index in found]
    assert abs(said.count("ann") - said.count("bob")) <= 1


def test_the_gallery_is_the_models_in_the_order_of_the_digits(model):
    model.gallery.copy_(torch.rand(10, 1, 3, 3))
    assert torch.equal(robustness.digits_gallery(model), model.gallery)
    order = ("nine", "eight", "seven", "six", "five", "four", "three", "two", "one", "zero")
    other = AudioToImage(model.audiocoder, model.autoencoder, (1, 3, 3), None, labels=order)
    other.gallery.copy_(model.gallery)
    assert torch.equal(robustness.digits_gallery(other), model.gallery.flip(0))


@pytest.mark.parametrize(("labels", "message"), [(["yes", "no"], "got one of yes, no"), (None, "with labels or of")])
def test_a_model_of_other_words_or_images_is_refused(model, labels, message):
    other = AudioToImage(model.audiocoder, model.autoencoder, (1, 3, 3), None, labels=labels)
    with pytest.raises(InputError, match=message):
        robustness.digits_gallery(other)


def test_a_gallery_that_is_not_finite_is_refused(model):
    model.gallery[3, 0, 1, 1] = torch.nan
    with pytest.raises(InputError, match="images of the digits are finite"):
        robustness.digits_gallery(model)


@pytest.mark.parametrize("steps", [0, -1, 5001])
def test_absurd_numbers_of_steps_are_refused(model, steps):
    with pytest.raises(InputError, match=f"Expected 1 to 5000 time steps.*got {steps}"):
        robustness.check(model, steps)


def test_a_model_without_a_front_end_is_refused(model):
    model.front_end = None
    with pytest.raises(InputError, match="holds its front end"):
        robustness.check(model, 30)


def test_no_corpus_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("SNN_SYNTH_DATA", str(tmp_path))
    monkeypatch.setattr(robustness.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="FSDD or the package espeakng-loader"):
        robustness.find_test_words(None)

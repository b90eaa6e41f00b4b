"""The trained models that come with the package do what their cards say."""

import importlib.util
import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from snn_synth.data import FSDD, MNIST, EspeakDigits, FashionMNIST, build_front_end, spectrograms
from snn_synth.data.espeak import UNHEARD_VOICES
from snn_synth.encoding import sample_keys
from snn_synth.errors import InputError
from snn_synth.evaluation import shuffled_pixels
from snn_synth.experiments.robustness import CONDITIONS
from snn_synth.functional import best_of_class, gallery_mse
from snn_synth.models import AESNN, AudioToImage, ImageClassifier
from snn_synth.models.pretrained import shipped_models
from tests.models.cards import DRAW, REGENERATE, regenerated, said, sampled

needs_data = pytest.mark.skipif("SNN_SYNTH_DATA" not in os.environ, reason="SNN_SYNTH_DATA is not set")


def test_the_page_on_installing_counts_them():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "install.md"
    assert f"the weights of {len(shipped_models())} trained networks" in page.read_text()


def test_each_has_a_card_and_all_are_small():
    generators = {"mnist-temporal", "mnist-hybrid", "mnist-gan", "mnist-esvae", "mnist-vqd", "fashion-mnist-vqd"}
    generators.add("fsdd-condition")
    classifiers = {f"{images}-classifier{kind}" for images in ("mnist", "fashion-mnist") for kind in ("", "-deep")}
    portable = {"mnist-portable", "fashion-mnist-portable"}
    assert set(shipped_models()) == {"mnist", "fashion-mnist", "fsdd"} | portable | classifiers | generators
    for name in ("mnist", "fashion-mnist"):
        assert AESNN.from_pretrained(name).config["reset"] == "subtract"
        paper = AESNN.from_pretrained(f"{name}-portable")
        assert all(neuron.reset_mechanism == "zero" and not list(neuron.parameters()) for _, neuron in paper.layers)
    sizes = {}
    for folder in shipped_models().values():
        text, seed = (folder / "README.md").read_text(), int(folder.name.endswith("-deep"))
        assert all(word in text for word in ("Command", f"seed {seed}", "Data", "after rounding", "from_pretrained"))
        sizes[folder.name] = sum(path.stat().st_size for path in folder.iterdir())
    assert sum(sizes[name] for name in generators) < 15e6
    assert sum(sizes.values()) < 25e6


@needs_data
@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("mnist", 0.028131),
        ("mnist-portable", 0.052305),
        ("fashion-mnist", 0.023210),
        ("fashion-mnist-portable", 0.036342),
        ("mnist-temporal", 0.0099444),
        ("mnist-hybrid", 0.024406),
        ("mnist-esvae", 0.016257),
    ],
)
def test_the_first_images_are_regenerated_as_ever_and_about_as_well_as_the_card_says(name, stored):
    """The whole test set is in tests/trust/test_cards.py."""
    error = regenerated(name, 500)
    assert error == pytest.approx(stored, rel=3e-3), "the same spikes, but for rounding"
    assert error == pytest.approx(said(name, REGENERATE[name]), rel=0.15)


@pytest.mark.slow
@needs_data
def test_spoken_digits_become_images_as_the_card_says():
    model, speech, images = AudioToImage.from_pretrained("fsdd"), FSDD(), MNIST(train=True)
    _, test = speech.official_split()
    values = spectrograms(speech, build_front_end(model.front_end))[test].float()
    drawn = model.synthesize(values, keys=sample_keys(1, torch.arange(len(test)))).flatten(1)
    first = [int(torch.nonzero(images.labels == digit)[0, 0]) for digit in range(10)]
    errors = gallery_mse(drawn, images.images[first].flatten(1).float())
    mse, _ = best_of_class(errors, speech.labels[test], torch.arange(10))
    assert mse.mean().item() == pytest.approx(said("fsdd", "standardized_mse"), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DRAW, pytest.param("fsdd-condition", marks=needs_data)])
def test_some_samples_are_about_as_good_as_the_card_says(name):
    """As many as the card is of are in tests/trust/test_cards.py."""
    for measure, found in sampled(name, 200).items():
        assert found == pytest.approx(said(name, measure), abs=0.08)


@needs_data
@pytest.mark.parametrize("kind", ["", "-deep"])
@pytest.mark.parametrize(("name", "images"), [("mnist-classifier", MNIST), ("fashion-mnist-classifier", FashionMNIST)])
def test_a_classifier_is_right_as_its_card_says_and_doubts_what_is_no_image(name, images, kind):
    name += kind
    classifier, test = ImageClassifier.from_pretrained(name), images(train=False)
    pictures = test.images.unsqueeze(1).float() / 255
    found = torch.cat([classifier.probabilities(part) for part in pictures.split(1000)])
    assert (found.argmax(1) == test.labels).float().mean().item() == pytest.approx(said(name, "accuracy"), abs=2e-4)
    for side in (28, 14):
        shuffled = shuffled_pixels(F.adaptive_avg_pool2d(pictures[:2000], side), 0)
        assert (classifier.probabilities(shuffled).max(1).values > 0.9).float().mean() < 0.05


def test_an_unknown_name_lists_the_shipped_ones():
    names = (
        r"\['fashion-mnist', 'fashion-mnist-classifier', 'fashion-mnist-classifier-deep', 'fashion-mnist-portable', "
        r"'fashion-mnist-vqd', 'fsdd', 'fsdd-condition', 'mnist', 'mnist-classifier', 'mnist-classifier-deep', "
        r"'mnist-esvae', 'mnist-gan', 'mnist-hybrid', 'mnist-portable', 'mnist-temporal', 'mnist-vqd'\]"
    )
    with pytest.raises(InputError, match=rf"{names}, got cifar"):
        AESNN.from_pretrained("cifar")
    with pytest.raises(InputError, match="Expected a saved AESNN, got a AudioToImage"):
        AESNN.from_pretrained("fsdd")


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("espeakng_loader"), reason="needs espeakng-loader")
def test_voices_that_were_not_trained_on_are_understood_as_the_card_says():
    model, corpus = AudioToImage.from_pretrained("fsdd"), EspeakDigits(UNHEARD_VOICES, takes=2, progress=False)
    values = spectrograms(corpus, build_front_end(model.front_end), progress=False)
    drawn = model.synthesize(values, keys=sample_keys(1, torch.arange(len(corpus))))
    sure = model.recognize(drawn)
    right = (sure.argmax(1) == corpus.labels).double()
    assert right.mean().item() == pytest.approx(said("fsdd", "unheard_voices"), abs=0.02)
    assert right.mean() >= 0.93
    assert sure.amax(1).mean().item() == pytest.approx(right.mean().item(), abs=0.03)  # as sure as right


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("clean", 0.97),
        ("noise, 10 dB", 0.80),
        ("background, -20 dB", 0.92),
        ("background, -15 dB", 0.82),
        ("speed x0.85", 0.90),
        ("speed x1.2", 0.90),
    ],
)
def test_the_shipped_network_stands_what_recordings_differ_by(name, least):
    model = AudioToImage.from_pretrained("fsdd")
    (condition,) = [one for one in CONDITIONS if one.name == name]
    corpus = FSDD()
    words = [corpus[place][0] for place in corpus.official_split()[1].tolist()]
    front_end = build_front_end(model.front_end)
    values = torch.stack([front_end(*condition.change(word, 8000, place)) for place, word in enumerate(words)])
    drawn = model.synthesize(values, keys=sample_keys(2, torch.arange(len(words))))
    right = model.recognize(drawn).argmax(1) == corpus.labels[corpus.official_split()[1]]
    assert right.double().mean() >= least

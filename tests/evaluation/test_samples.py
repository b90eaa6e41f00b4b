"""Measures of generated images, on flat images of one brightness and on real ones."""

import os

import pytest
import torch

from snn_synth.data import MNIST, as_pixels, load_fad
from snn_synth.errors import InputError
from snn_synth.evaluation import TRIVIAL, sample_quality, shuffled_pixels, trivial_samples
from snn_synth.models import ImageClassifier

needs_data = pytest.mark.skipif("SNN_SYNTH_DATA" not in os.environ, reason="SNN_SYNTH_DATA is not set")


class Brightness(ImageClassifier):
    """A classifier that sees a dark image as class 0 and a bright one as class 1, and is sure only far from grey."""

    def __init__(self):
        super().__init__(classes=2, features=1)

    def features(self, images):
        return images.flatten(1).mean(1, keepdim=True) - 0.5

    @property
    def head(self):
        return lambda x: torch.cat([-10 * x, 10 * x], 1)

    @head.setter
    def head(self, value):
        pass


def test_sample_quality_measures_probability_variety_and_nearest_neighbours():
    def flat(*values):
        return torch.tensor(values)[:, None, None, None].expand(-1, 1, 2, 2).contiguous()

    train, labels = flat(0.0, 1.0), torch.tensor([0, 1])
    samples = flat(0.1, 0.2, 0.45, 0.55, 0.9, 0.95)
    found = sample_quality(samples, samples, train, labels, Brightness())
    assert found["sure"] == pytest.approx(4 / 6)  # 2 * 10 * 0.05 = 1 is too little for nine tenths
    assert (found["classes"], found["neighbour"]) == (2, 1)
    assert found["classifier_frechet"] == pytest.approx(0, abs=1e-9)
    moved = sample_quality(samples, samples + 3, train, labels, Brightness())
    assert moved["classifier_frechet"] == pytest.approx(9, rel=1e-4)
    turned = sample_quality(samples, samples, train, 1 - labels, Brightness())
    assert turned["neighbour"] == 0
    assert found["imbalance"] == pytest.approx(0), "three samples of either class"
    grey = sample_quality(flat(0.5, 0.52), samples, train, labels, Brightness())
    assert (grey["sure"], grey["classes"], grey["neighbour"]) == (0, 0, 0)
    with pytest.raises(InputError, match=r"of one size, got \[1, 4, 4\], \[1, 2, 2\] and \[1, 2, 2\]"):
        sample_quality(torch.zeros(2, 1, 4, 4), samples, train, labels, Brightness())


def flat(values):
    return torch.as_tensor(values)[:, None, None, None].expand(-1, 1, 2, 2).contiguous()


@pytest.fixture
def greys():
    """Held-out and training images of two classes, dark and bright, and their labels."""
    noise = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 2
    return [(flat(0.4 * torch.rand(200, generator=noise) + 0.6 * labels), labels) for _ in range(2)]


def test_sample_quality_tells_variety_and_novelty(greys):
    (held_out, _), (train, labels) = greys
    real = sample_quality(held_out, held_out, train, labels, Brightness())
    assert real["pixel_variance"] == real["feature_variance"] == pytest.approx(1)
    assert real["nearest_ratio"] == pytest.approx(1)
    assert real["copies"] < 0.6, "on a line one neighbour is often much the nearest"
    assert real["precision"] == real["recall"] == real["coverage"] == 1
    two = sample_quality(held_out[:2].repeat(50, 1, 1, 1), held_out, train, labels, Brightness())
    assert two["pixel_variance"] == pytest.approx(0, abs=1e-6)
    assert two["distinct"] == pytest.approx(2 / 100)
    assert two["recall"] < 0.1
    assert two["coverage"] < 0.2
    copied = sample_quality(train, held_out, train, labels, Brightness())
    assert (copied["copies"], copied["nearest_ratio"], copied["distinct"]) == (1, 0, 1)
    dark = sample_quality(train[labels == 0], held_out, train, labels, Brightness())
    assert dark["imbalance"] == pytest.approx(0.5)
    assert dark["pixel_variance"] == pytest.approx(0.5, abs=0.1), "one of the classes is not drawn"


def test_sample_quality_takes_known_classes_and_a_second_classifier(greys):
    (held_out, held_out_labels), (train, labels) = greys
    second = Brightness()
    second.features = lambda images: torch.zeros(len(images), 1)  # which is never sure
    found = sample_quality(
        held_out, held_out, train, labels, Brightness(), second, labels=held_out_labels, image_labels=held_out_labels
    )
    assert found["right"] == 1
    assert found["sure_second"] == 0
    swapped = sample_quality(
        held_out, held_out, train, labels, Brightness(), labels=1 - held_out_labels, image_labels=held_out_labels
    )
    assert swapped["right"] == 0
    assert "sure_second" not in swapped


def test_images_that_were_trained_on_are_no_measure_of_novelty(greys):
    train, labels = greys[1]
    with pytest.raises(InputError, match="Expected `images` that were not trained on, got 200 that are in `train`"):
        sample_quality(train, train, train, labels, Brightness())
    with pytest.raises(InputError, match="Expected at least two images each, got 1, 200 and 200"):
        sample_quality(train[:1], train, train, labels, Brightness())


@pytest.mark.parametrize("name", ["train_labels", "labels", "image_labels"])
@pytest.mark.parametrize("number", [1, 199, 201])
def test_every_image_has_one_label(greys, name, number):
    (held_out, held_out_labels), (train, train_labels) = greys
    labels = {"train_labels": train_labels, "labels": held_out_labels, "image_labels": held_out_labels}
    labels[name] = torch.zeros(number).long()
    with pytest.raises(InputError, match=rf"Expected `{name}` of shape \[200\], got \[{number}\]"):
        sample_quality(held_out, held_out, train, classifier=Brightness(), **labels)


def test_trivial_samples_are_what_they_are_called():
    images, labels = torch.rand(30, 1, 3, 3), torch.arange(30) // 10 + 4
    found = trivial_samples(images, labels, 45, seed=3)
    assert tuple(found) == TRIVIAL
    assert all(samples.shape == (45, 1, 3, 3) for samples in found.values())
    assert torch.allclose(found["class means"][4], images[10:20].mean(0))
    assert torch.equal(found["ten images repeated"][5], images[20])
    drawn = found["training images"]
    assert len(drawn[:30].flatten(1).unique(dim=0)) == 30, "each of them once"
    assert torch.equal(found["shuffled pixels"], shuffled_pixels(drawn, 3))
    assert torch.equal(trivial_samples(images, labels, 45, seed=3)["training images"], drawn)
    assert not torch.equal(trivial_samples(images, labels, 45, seed=4)["training images"], drawn)
    with pytest.raises(InputError, match="at least one sample and a label for each image, got 0, 30 and 30"):
        trivial_samples(images, labels, 0)


@pytest.mark.slow
@needs_data
@pytest.mark.skipif("SNN_SYNTH_TRUST" not in os.environ, reason="by make trust")
def test_the_measures_put_trivial_samples_of_digits_in_their_places():
    """None is good by all of them; another 2,000 real images are."""
    train, test = MNIST(train=True), MNIST(train=False)
    images, labels = as_pixels(train.images[:20_000]), train.labels[:20_000]
    held_out, fad = as_pixels(test.images), load_fad("mnist")
    classifiers = [ImageClassifier.from_pretrained(f"mnist-classifier{kind}") for kind in ("", "-deep")]
    samples = trivial_samples(images, labels, 2_000) | {"real": held_out[1::5]}
    found = {
        name: sample_quality(some, held_out[::5], images, labels, *classifiers) | {"fad": fad(some)}
        for name, some in samples.items()
    }
    real = found["real"]
    for key in ("pixel_variance", "feature_variance", "nearest_ratio", "density"):
        assert real[key] == pytest.approx(1, abs=0.1), key
    assert min(real[key] for key in ("sure", "sure_second", "precision", "recall", "coverage")) > 0.85
    assert real["copies"] < 0.01
    assert real["imbalance"] < 0.05
    for name in ("class means", "ten images repeated"):
        assert found[name]["pixel_variance"] < 0.01
        assert found[name]["feature_variance"] < 0.01
        assert found[name]["distinct"] <= 0.005
        assert found[name]["recall"] < 0.01
        assert found[name]["coverage"] < 0.05
        assert found[name]["fad"] > 20
    assert found["ten images repeated"]["sure"] > 0.8, "good is not enough"
    copied = found["training images"]
    assert (copied["copies"], copied["nearest_ratio"]) == (1, 0), "its variety is real: only novelty tells"
    assert copied["coverage"] > 0.85
    shuffled = found["shuffled pixels"]
    assert max(shuffled["sure"], shuffled["sure_second"]) < 0.05
    assert shuffled["coverage"] < 0.05
    assert shuffled["nearest_ratio"] > 1.2
    assert shuffled["fad"] > 100

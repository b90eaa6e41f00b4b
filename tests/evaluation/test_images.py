import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.evaluation import baselines, probe, sample_quality
from snn_synth.models import ImageClassifier


def test_the_probe_is_as_good_as_the_best_linear_rule():
    """Two Gaussians with means d apart: Phi(d / 2) of the samples lie on their side."""
    noise = torch.Generator().manual_seed(0)
    labels = torch.arange(20_000) % 2
    codes = torch.randn(20_000, 3, generator=noise) * torch.tensor([1.0, 10.0, 0.1])
    codes[:, 0] += 2.0 * labels
    found = probe(codes[:10_000], labels[:10_000], codes[10_000:], labels[10_000:])
    assert found == pytest.approx(0.8413, abs=0.01)
    shuffled = labels[torch.randperm(20_000, generator=noise)]
    assert probe(codes[:10_000], shuffled[:10_000], codes[10_000:], shuffled[10_000:]) == pytest.approx(0.5, abs=0.02)


def test_baselines_are_those_of_numpys_singular_values():
    noise = torch.Generator().manual_seed(0)
    mixing = torch.randn(12, 12, generator=noise)
    train, test = torch.randn(300, 12, generator=noise) @ mixing, torch.randn(50, 12, generator=noise) @ mixing
    found = baselines(train, test, (2, 5))
    x, y = train.numpy() - train.numpy().mean(0), test.numpy() - train.numpy().mean(0)
    axes = np.linalg.svd(x, full_matrices=False)[2]
    for number in (2, 5):
        expected = np.mean((y - y @ axes[:number].T @ axes[:number]) ** 2)
        assert found[f"pca_{number}"] == pytest.approx(expected, rel=1e-4)
    assert found["mean_image"] == pytest.approx(np.mean(y**2), rel=1e-5)
    assert found["black"] == pytest.approx(np.mean(test.numpy() ** 2), rel=1e-5)
    assert baselines(train.view(-1, 1, 3, 4), test.view(-1, 1, 3, 4), (2, 5)) == found
    with pytest.raises(InputError, match="Expected images of as many pixels, got 12 and 11"):
        baselines(train, test[:, 1:], (2, 5))


def test_codes_without_labels_are_refused():
    with pytest.raises(InputError, match="Expected finite codes, got inf or NaN"):
        probe(torch.full((2, 1), torch.inf), torch.zeros(2).long(), torch.zeros(2, 1), torch.zeros(2).long())
    with pytest.raises(InputError, match="Expected a label for each code, got 4 and 2 codes with 3 and 2 labels"):
        probe(torch.zeros(4, 1), torch.zeros(3).long(), torch.zeros(2, 1), torch.zeros(2).long())


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
    grey = sample_quality(flat(0.5, 0.52), samples, train, labels, Brightness())
    assert (grey["sure"], grey["classes"], grey["neighbour"]) == (0, 0, 0)
    with pytest.raises(InputError, match=r"of one size, got \[1, 4, 4\], \[1, 2, 2\] and \[1, 2, 2\]"):
        sample_quality(torch.zeros(2, 1, 4, 4), samples, train, labels, Brightness())

import numpy as np
import pytest
import torch

from snn_synth.data import class_mean_images, one_image_per_class, one_image_per_utterance
from snn_synth.errors import InputError

LABELS = torch.randint(0, 10, (500,), generator=torch.Generator().manual_seed(0))


def test_dataset_a_is_the_first_image_of_each_label():
    chosen = one_image_per_class(LABELS)
    assert chosen.tolist() == [LABELS.tolist().index(digit) for digit in range(10)]


def test_the_second_set_is_nearest_to_the_class_means():
    images = torch.randint(0, 256, (500, 28, 28), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    chosen = class_mean_images(images, LABELS)
    for digit in range(10):
        own = [i for i in range(500) if LABELS[i] == digit]
        mean = np.mean([images[i].numpy() for i in own], axis=0)
        distances = [np.linalg.norm(images[i].numpy() - mean) for i in own]
        assert chosen[digit] == own[int(np.argmin(distances))]


@pytest.mark.parametrize("function", [one_image_per_class, lambda y: class_mean_images(torch.zeros(len(y), 4), y)])
def test_a_label_without_an_image_is_named(function):
    with pytest.raises(InputError, match="none of label 3"):
        function(LABELS[LABELS != 3])


def test_dataset_b_gives_each_utterance_its_own_image_of_its_label():
    utterances = torch.arange(10).repeat(20)
    chosen = one_image_per_utterance(utterances, LABELS, seed=0)
    assert torch.equal(LABELS[chosen], utterances)
    assert len(set(chosen.tolist())) == len(utterances)
    assert torch.equal(chosen, one_image_per_utterance(utterances, LABELS, seed=0))
    assert not torch.equal(chosen, one_image_per_utterance(utterances, LABELS, seed=1))


def test_dataset_b_names_the_label_that_runs_out_of_images():
    with pytest.raises(InputError, match="at least 4 images of label 7, one per utterance, got 2"):
        one_image_per_utterance(torch.tensor([7, 7, 7, 7]), torch.tensor([7, 1, 7]), seed=0)

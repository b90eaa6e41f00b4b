import numpy as np
import pytest
import torch

from snn_synth.data import as_words, class_mean_images, match_names, one_image_per_class, one_image_per_utterance
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


def test_words_find_the_images_of_their_name():
    assert match_names(["cat", "dog"], ["dog", "cat", "bird"]) == [1, 0]
    assert match_names(["caf\u00e9"], ["tea", "cafe\u0301"]) == [1]  # one letter, or a letter and its accent


def test_words_without_images_are_named():
    with pytest.raises(InputError, match=r"found none of 'Cat', 'sun' among the images of 'cat', 'dog'$"):
        match_names(["Cat", "dog", "sun"], ["cat", "dog"])
    with pytest.raises(InputError, match="'w9' and 40 more among"):
        match_names([f"w{n}" for n in range(50)], ["cat"])
    with pytest.raises(InputError, match="'w9' among"):
        match_names([f"w{n}" for n in range(10)], ["cat"])


def test_labels_of_images_become_those_of_their_words():
    labels = torch.tensor([2, 0, 1, 1, 3])
    assert as_words(labels, [3, 1]).tolist() == [-1, -1, 1, 1, 0]
    assert torch.equal(as_words(LABELS, range(10)), LABELS)


@pytest.mark.parametrize("classes", [1, 3, 12])
def test_any_number_of_classes(classes):
    labels = torch.arange(classes).repeat(3).flip(0)
    assert labels[one_image_per_class(labels, classes)].tolist() == list(range(classes))
    images = torch.zeros(3 * classes, 4)
    assert labels[class_mean_images(images, labels, classes)].tolist() == list(range(classes))

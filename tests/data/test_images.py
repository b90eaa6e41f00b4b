import copy
import pickle

import pytest
import torch

from snn_synth.data import MNIST, FashionMNIST, ImageDataset, as_pixels
from snn_synth.data import images as module
from snn_synth.errors import InputError


def grey(n=4):
    return torch.arange(n * 6, dtype=torch.uint8).reshape(n, 2, 3)


def test_grey_and_colour_become_pixels_with_a_channel_axis():
    images = grey()
    assert torch.equal(as_pixels(images), torch.tensor(images.double().numpy() / 255).float()[:, None])
    colour = torch.full((2, 3, 4, 5), 51, dtype=torch.uint8)
    assert torch.equal(as_pixels(colour), torch.full((2, 3, 4, 5), 0.2))


def test_a_set_has_shape_names_and_items():
    grey_set = ImageDataset(grey(), torch.tensor([1, 0, 1, 2]))
    assert (grey_set.image_shape, grey_set.names, len(grey_set)) == ((1, 2, 3), ("0", "1", "2"), 4)
    image, label = grey_set[2]
    assert torch.equal(image, (grey()[2].float() / 255)[None])
    assert (label, grey_set.official_split()) == (1, None)
    colour = ImageDataset(torch.zeros(2, 3, 4, 5, dtype=torch.uint8), torch.tensor([0, 1]), ["a", "b"])
    assert colour.image_shape == colour[0][0].shape == (3, 4, 5)


def test_a_part_keeps_the_names():
    part = ImageDataset(grey(), torch.tensor([1, 0, 1, 0]), ["cat", "dog"]).part(torch.tensor([0, 2]))
    assert torch.equal(part.images, grey()[[0, 2]])
    assert (part.labels.tolist(), part.names) == ([1, 1], ("cat", "dog"))


def test_sets_can_be_copied_and_pickled():
    given = ImageDataset(grey(), torch.tensor([1, 0, 1, 0]))
    for other in (copy.deepcopy(given), pickle.loads(pickle.dumps(given))):
        assert torch.equal(other.images, given.images)


@pytest.mark.parametrize(
    ("images", "labels", "names", "message"),
    [
        (torch.zeros(2, 3, 4), [0, 1], None, "images of uint8"),
        (torch.zeros(2, 4, 5, 3, dtype=torch.uint8), [0, 1], None, r"\[2, 4, 5, 3\]"),
        (torch.zeros(0, 4, 5, dtype=torch.uint8), [], None, "images of uint8"),
        (grey(2), [0], None, "2 whole numbers"),
        (grey(2), [0.5, 1.0], None, "2 whole numbers"),
        (grey(2), [0, 2], ["a", "b"], "from 0 to 1"),
        (grey(2), [-1, 0], None, "-1 to 0"),
        (grey(2), [0, 10**15], None, "below 1,048,576, or `names`, got 1000000000000000"),
        (grey(2), [0, 1], ["a", "a"], "a name for each class"),
    ],
)
def test_what_is_no_image_set_is_refused(images, labels, names, message):
    with pytest.raises(InputError, match=message):
        ImageDataset(images, torch.tensor(labels), names)


def test_the_published_names():
    assert MNIST.names == tuple("0123456789")
    assert (len(FashionMNIST.names), FashionMNIST.names[0], FashionMNIST.names[9]) == (
        10,
        "T-shirt/top",
        "Ankle boot",
    )


def test_labels_without_names_go_up_to_the_limit(monkeypatch):
    monkeypatch.setattr(module, "MAX_CLASSES", 5)
    assert ImageDataset(grey(2), torch.tensor([0, 4])).names == ("0", "1", "2", "3", "4")
    with pytest.raises(InputError, match="labels below 5, or `names`, got 5"):
        ImageDataset(grey(2), torch.tensor([0, 5]))
    names = [f"class {number}" for number in range(6)]
    assert ImageDataset(grey(2), torch.tensor([0, 5]), names).names == tuple(names)


@pytest.mark.parametrize("channels", [2, 4])
def test_images_have_one_channel_or_three(channels):
    with pytest.raises(InputError, match="images of uint8"):
        ImageDataset(torch.zeros(2, channels, 4, 5, dtype=torch.uint8), torch.tensor([0, 1]))
    one = ImageDataset(torch.zeros(2, 1, 4, 5, dtype=torch.uint8), torch.tensor([0, 1], dtype=torch.int32))
    assert (one.image_shape, one.labels.dtype) == ((1, 4, 5), torch.int64)


def test_a_part_keeps_the_paths_of_its_files():
    given = ImageDataset(grey(), torch.tensor([1, 0, 1, 0]))
    assert given.part(torch.tensor([2])).files is None
    given.files = list("abcd")
    assert given.part(torch.tensor([2, 0])).files == ["c", "a"]

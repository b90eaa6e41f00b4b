from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Subset, TensorDataset

from snn_synth.data import image_files, images_from
from snn_synth.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 5, 7, 3), dtype=np.uint8)
LABELS = [1, 0, 1, 2]


class Table(list):
    """A stand-in for a `datasets.Dataset`: rows as dicts, and features that know the names of the labels."""

    def __init__(self, rows, names):
        super().__init__(rows)
        self.features = {"picture": object(), "kind": SimpleNamespace(names=names)}


class Folder(list):
    """A stand-in for `torchvision.datasets.ImageFolder`."""

    classes = ["ant", "bee", "cow"]


def test_pillow_images_with_the_names_of_torchvision():
    found = images_from(
        Folder((Image.fromarray(p), label) for p, label in zip(PIXELS, LABELS, strict=True)), color=True
    )
    assert torch.equal(found.images, torch.from_numpy(PIXELS).permute(0, 3, 1, 2))
    assert (found.labels.tolist(), found.names) == (LABELS, ("ant", "bee", "cow"))


def test_columns_with_the_names_of_hugging_face():
    rows = [{"picture": Image.fromarray(p), "kind": label} for p, label in zip(PIXELS, LABELS, strict=True)]
    found = images_from(Table(rows, ["ant", "bee", "cow", "dog"]), "picture", "kind", size=4)
    assert (found.image_shape, found.names) == ((1, 4, 4), ("ant", "bee", "cow", "dog"))
    with pytest.raises(InputError, match=r"columns 'image' and 'kind', got \['picture', 'kind'\]"):
        images_from(Table(rows, []), label="kind")


@pytest.mark.parametrize(
    "convert",
    [
        lambda p: torch.from_numpy(p).permute(2, 0, 1),  # as torchvision and torch do
        lambda p: torch.from_numpy(p).permute(2, 0, 1).double() / 255,
        lambda p: p,  # as NumPy does
        lambda p: p.astype(np.float32) / 255,
        lambda p: p.transpose(2, 0, 1),
    ],
)
def test_tensors_and_arrays_of_either_order(convert):
    found = images_from([(convert(p), label) for p, label in zip(PIXELS, LABELS, strict=True)], color=True)
    assert torch.equal(found.images, torch.from_numpy(PIXELS).permute(0, 3, 1, 2))
    grey = images_from([(convert(p[:, :, :1]), label) for p, label in zip(PIXELS, LABELS, strict=True)])
    assert torch.equal(grey.images, torch.from_numpy(PIXELS[..., 0]))


def test_labels_that_are_words_or_far_apart_or_tensors():
    words = images_from(list(zip(PIXELS, ["b", "a", "b", "c"], strict=True)))
    assert (words.labels.tolist(), words.names) == (LABELS, ("a", "b", "c"))
    far = images_from(list(zip(PIXELS, [30, 3, 30, 200], strict=True)))
    assert (far.labels.tolist(), far.names) == (LABELS, ("3", "30", "200"))
    tensors = TensorDataset(torch.from_numpy(PIXELS[..., 0]), torch.tensor(LABELS))
    assert images_from(Subset(tensors, [3, 1])).names == ("0", "2")


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "images, got a data set of none"),
        ([(PIXELS[0], 0), (PIXELS[1, :3], 1)], r"\[5, 7\] of image 0 and \[3, 7\] of image 1"),
        ([(PIXELS[0], 0), (PIXELS[1], 1.5)], "whole numbers or words as labels, got float"),
        ([(PIXELS[0], 0), (PIXELS[1], "a")], "got both"),
        ([PIXELS[0], PIXELS[1]], r"items \(image, label\)"),
        ([(PIXELS[0], 0, 1)], r"items \(image, label\)"),
        ([PIXELS[0, :2]], r"items \(image, label\)"),
        ([(PIXELS[0], torch.zeros(1))], "whole numbers or words as labels, got Tensor"),
        ([{"image": PIXELS[0]}], r"columns 'image' and 'label', got \['image'\]"),
        ([(PIXELS[0] * 1.0, 0)], r"uint8, or in \[0, 1\], got float64: image 0"),
        ([(PIXELS[0].astype(int), 0)], "got int64"),
        ([(np.full((2, 2), np.nan), 0)], "got float64"),
        ([(np.zeros((2, 2, 5), np.uint8), 0)], r"got \[2, 2, 5\]"),
        ([(torch.zeros(0, 4), 0)], r"got \[0, 4\]"),
        ([({"bytes": b"..."}, 0)], "got dict"),
        ([(np.array([[0, 1]]), 0)], "got int64"),
        ([(np.array([[-0.5, 0.5]]), 0)], "got float64"),
        ([(np.array([[0.5, 1.5]]), 0)], "got float64"),
        ([(np.zeros(3, np.uint8), 0)], r"got \[3\]"),
        ([(np.zeros((2, 2, 2, 3), np.uint8), 0)], r"got \[2, 2, 2, 3\]"),
        ([(np.zeros((5, 5, 2), np.uint8), 0)], r"got \[5, 5, 2\]"),
    ],
)
def test_what_does_not_fit_is_refused(items, message):
    with pytest.raises(InputError, match=message):
        images_from(items)


def test_labels_beyond_the_names_and_streams_are_refused():
    with pytest.raises(InputError, match="from 0 to 2"):
        images_from(Folder((p, label) for p, label in zip(PIXELS, [0, 1, 2, -1], strict=True)))
    with pytest.raises(InputError, match="not as a stream"):
        images_from(value for value in [])


@pytest.mark.parametrize(("height", "width"), [(5, 4), (4, 7), (3, 3), (7, 1), (5, 3)])
def test_which_side_of_an_image_is_of_its_channels(height, width):
    """A tensor's come first and an array's last, though a side is as short as they may be many."""
    values = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = torch.from_numpy(values).permute(2, 0, 1)
    for image in (values, expected):
        assert torch.equal(images_from([(image, 0)], color=True).images[0], expected)
    if width not in (1, 3, 4):
        assert torch.equal(images_from([(values.transpose(2, 0, 1), 0)], color=True).images[0], expected)


def test_of_four_channels_the_last_is_how_opaque_it_is():
    alpha = np.where(PIXELS[0, :, :, :1] < 128, 0, 255).astype(np.uint8)
    image = np.concatenate([PIXELS[0], alpha], 2)
    expected = torch.from_numpy(PIXELS[0] * (alpha > 0)).permute(2, 0, 1)
    for found in (image, torch.from_numpy(image).permute(2, 0, 1)):
        assert torch.equal(images_from([(found, 0)], color=True).images[0], expected)


@pytest.mark.parametrize("values", [[[0.0, 1.0]], [[False, True]]])
def test_black_and_white_are_within_the_range(values):
    for image in (np.array(values), torch.tensor(values)):
        assert images_from([(image, "a")]).images.tolist() == [[[0, 255]]]


def test_images_are_cut_to_a_size_unless_borders_are_wanted():
    wide = np.array([[10, 90, 180, 20]], np.uint8)
    assert images_from([(wide, 0)], size=(1, 2)).images.tolist() == [[[90, 180]]]
    padded = images_from([(wide, 0)], size=(3, 4), pad=True)
    assert padded.images.tolist() == [[[0] * 4, [10, 90, 180, 20], [0] * 4]]


def test_more_images_than_memory_is_given_are_refused(monkeypatch):
    monkeypatch.setattr(image_files, "MAX_BYTES", 4 * 35)
    assert images_from(list(zip(PIXELS, LABELS, strict=True))).images.shape == (4, 5, 7)
    monkeypatch.setattr(image_files, "MAX_BYTES", 4 * 35 - 1)
    with pytest.raises(InputError, match=r"at most 139 bytes, got 4 of 35: set `size`"):
        images_from(list(zip(PIXELS, LABELS, strict=True)))
    with pytest.raises(InputError, match=r"at most 139 bytes, got 4 of 36: make `size` smaller"):
        images_from(list(zip(PIXELS, LABELS, strict=True)), size=6)

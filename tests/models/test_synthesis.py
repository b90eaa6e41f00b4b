import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.models import ACSNN, AESNN, AudioToImage, ConvACSNN
from snn_synth.models.synthesis import TEMPERATURE

LABELS = ("left", "right", "go")


def model(labels=LABELS):
    made = AudioToImage(ACSNN(60, 8, 4), AESNN(12, 4), (1, 3, 4), labels=labels)
    if labels is not None:
        made.gallery.copy_(torch.rand(3, 1, 3, 4, generator=torch.Generator().manual_seed(0)))
    return made


def correlation_distance(image, other):
    """2 (1 - correlation), which the standardized MSE is."""
    return 2 * (1 - np.corrcoef(image.ravel(), other.ravel())[0, 1])


def test_probabilities_are_those_of_the_distances_to_each_labels_image():
    one = model()
    images = torch.rand(5, 1, 3, 4, generator=torch.Generator().manual_seed(1))
    found = one.recognize(images)
    distances = np.array([[correlation_distance(a, b) for b in one.gallery.numpy()] for a in images.numpy()])
    expected = np.exp(-distances / TEMPERATURE)
    np.testing.assert_allclose(found, expected / expected.sum(1, keepdims=True), rtol=1e-4)
    assert one.recognize(0.3 * one.gallery + 0.1).argmax(1).tolist() == [0, 1, 2], "brightness says nothing"


def test_a_blank_image_could_be_any_label():
    torch.testing.assert_close(model().recognize(torch.zeros(1, 1, 3, 4)), torch.full((1, 3), 1 / 3))


def test_calibrated_it_is_right_as_often_as_it_says():
    one, noise = model(), torch.Generator().manual_seed(2)
    labels = torch.randint(3, (2_000,), generator=noise)
    images = one.gallery[labels] + 0.5 * torch.randn(2_000, 1, 3, 4, generator=noise)
    one.calibrate(images[:1_000], labels[:1_000])
    sure, label = one.recognize(images[1_000:]).max(1)
    right = (label == labels[1_000:]).float()
    assert float(sure.mean()) == pytest.approx(float(right.mean()), abs=0.03)
    for low, high in ((0.5, 0.8), (0.8, 0.95), (0.95, 1)):
        those = (sure > low) & (sure <= high)
        assert float(right[those].mean()) == pytest.approx(float(sure[those].mean()), abs=0.08)


def test_gallery_and_temperature_travel_with_the_weights(tmp_path):
    one = model()
    one.calibrate(one.gallery, torch.arange(3))
    one.save_pretrained(tmp_path / "saved")
    again = AudioToImage.from_pretrained(tmp_path / "saved")
    assert again.labels == LABELS
    assert torch.equal(again.gallery, one.gallery)
    assert torch.equal(again.temperature, one.temperature)
    assert again.temperature != TEMPERATURE


def test_without_labels_it_draws_and_recognizes_nothing(tmp_path):
    one = model(labels=None)
    assert not {"gallery", "temperature"} & set(one.state_dict()), "a folder of before there were labels loads"
    one.save_pretrained(tmp_path / "saved")
    with pytest.raises(InputError, match="Expected a model with `labels`, to recognize what was said, got one without"):
        AudioToImage.from_pretrained(tmp_path / "saved").recognize(torch.zeros(1, 1, 3, 4))


@pytest.mark.parametrize("labels", [(), ("one",), ("a", "a"), ("a", ""), ("a", "b\x1b[2J"), ("a", "b" * 101), ("a", 2)])
def test_labels_that_are_no_names(labels):
    with pytest.raises(InputError, match="Expected `labels` of at least two different names of 1 to 100 printable"):
        model(labels)


def test_a_strangers_gallery_and_temperature(tmp_path):
    one = model()
    one.gallery[1, 0, 2, 1] = torch.nan
    one.save_pretrained(tmp_path / "saved")
    with pytest.raises(InputError, match="Expected finite images"):
        AudioToImage.from_pretrained(tmp_path / "saved").recognize(torch.rand(1, 1, 3, 4))
    two = model()
    two.temperature.fill_(-1)
    two.save_pretrained(tmp_path / "saved")
    with pytest.raises(InputError, match="Expected a temperature above 0, got -1"):
        AudioToImage.from_pretrained(tmp_path / "saved").recognize(torch.rand(1, 1, 3, 4))


def test_images_of_another_shape():
    with pytest.raises(InputError, match=r"Expected maps and images of one shape, got \[12\] and \[1, 3, 4\]"):
        model().recognize(torch.rand(2, 12))


def test_a_drawing_is_the_same_in_any_mode_and_teaches_batch_norm_nothing():
    model = AudioToImage(ConvACSNN(6, 10, [4], 9), AESNN(9, 9), (1, 3, 3))
    spectrograms = torch.rand(3, 6, 10, generator=torch.Generator().manual_seed(0))
    before = {name: values.clone() for name, values in model.state_dict().items()}
    hidden = [model.train(mode)(spectrograms, 20, keys=torch.arange(3)).hidden for mode in (True, False)]
    assert torch.equal(*hidden)
    assert hidden[0].any()
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    model.train().synthesize(spectrograms[:1], 1, keys=torch.arange(1))
    assert all(module.training for module in model.modules())

import pytest
import torch
from PIL import Image

from snn_synth.data import ImageDataset, ImageFolder, images_from
from snn_synth.errors import InputError
from snn_synth.models import AEANN, AESNN, ESVAE, HybridVAE, SpikingGAN, TemporalCodingAE
from snn_synth.training import (
    ImageData,
    LitAutoencoder,
    LitAutoencoderANN,
    LitESVAE,
    LitHybridVAE,
    LitSpikingGAN,
    LitTemporalCodingAE,
)
from snn_synth.training.images import load_images
from tests.training.tiny import quiet_trainer

NAMES = ("ant", "bee", "cow")


def write(root, images=10, shape=(6, 4), mode="RGB"):
    """A folder for each class, in which each image has a value of its own."""
    for number, name in enumerate(NAMES):
        (root / name).mkdir(parents=True)
        for place in range(images):
            value = 60 * number + 5 * place
            color = (value, 255 - value, 100) if mode == "RGB" else value
            Image.new(mode, shape[::-1], color).save(root / name / f"{place}.png")
    return root


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "images")


def test_a_folder_is_split_by_class_and_seed(folder):
    data = ImageData(ImageFolder(folder, color=True), batch_size=4, test_fraction=0.2, validation_fraction=0.25)
    data.prepare_data()
    data.setup("fit")
    assert (data.names, data.image_shape) == (NAMES, (3, 6, 4))
    assert data.train_set.labels.bincount().tolist() == [8, 8, 8]
    assert data.test_set.labels.bincount().tolist() == [2, 2, 2]
    assert data.train_set.labels[data.validation_index].bincount().tolist() == [2, 2, 2]
    values = {part: set(getattr(data, part).images[:, 0, 0, 0].tolist()) for part in ("train_set", "test_set")}
    assert not values["train_set"] & values["test_set"]
    again = ImageData(ImageFolder(folder, color=True), test_fraction=0.2)
    again.setup("fit")
    assert torch.equal(again.test_set.images, data.test_set.images)
    other = ImageData(ImageFolder(folder, color=True), test_fraction=0.2, seed=1)
    other.setup("fit")
    assert not torch.equal(other.test_set.images, data.test_set.images)
    batch = next(iter(data.train_dataloader()))
    assert batch.images.shape == (4, 3, 6, 4)
    assert torch.equal(batch.images, data.train_set.images[batch.index].float() / 255)


def test_images_are_read_once_for_all_stages(monkeypatch, folder):
    reads = []
    images = ImageFolder(folder)
    monkeypatch.setattr("snn_synth.training.images.load_images", lambda *what: (reads.append(what), images)[1])
    data = ImageData("mnist")
    for stage in ("fit", "test", "predict"):
        data.prepare_data()
        data.setup(stage)
    assert reads == [("mnist", True, None), ("mnist", False, None)]


def test_the_first_images_to_validate_are_of_several_classes(folder):
    data = ImageData(ImageFolder(folder), validation_fraction=0.5)
    data.setup("fit")
    (loader,) = data.val_dataloader()
    labels = next(iter(loader)).labels
    assert labels.tolist() != sorted(labels.tolist())


def test_a_split_of_the_sets_own_is_kept(tmp_path):
    write(tmp_path / "train")
    write(tmp_path / "test", images=3)
    data = ImageData(ImageFolder(tmp_path), test_fraction=0.7)
    data.setup("fit")
    assert (len(data.train_set), len(data.test_set)) == (30, 9)
    parts = [load_images(ImageFolder(tmp_path), train) for train in (True, False)]
    assert [len(part) for part in parts] == [30, 9]
    assert torch.equal(parts[1].images, data.test_set.images)


def test_images_by_name_or_themselves():
    assert load_images(COLOUR, True) is load_images(COLOUR, False) is COLOUR  # it has no split
    assert [len(load_images("mnist_subset", train)) for train in (True, False)] == [4500, 500]
    with pytest.raises(InputError, match=r"of \['mnist', 'fashion_mnist', 'mnist_subset'\], got 'cifar'"):
        load_images("cifar", True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"test_fraction": 0}, "`test_fraction` above 0"),
        ({"test_fraction": 0.96}, r"of each label, got 0\.96 of 10 \(`test_fraction`\)"),
        ({"test_fraction": 0.01}, r"above 0\.05.* \(`test_fraction`\)"),
        ({"validation_fraction": 0.01}, r"above 0\.063.* \(`validation_fraction`\)"),
        ({"validation_fraction": 2}, r"between 0 and 1, got 2 \(`validation_fraction`\)"),
        ({"batch_size": 0}, "`batch_size`"),
    ],
)
def test_fractions_that_leave_a_part_or_a_class_empty_are_refused(folder, settings, message):
    with pytest.raises(InputError, match=message):
        ImageData(ImageFolder(folder), **settings).prepare_data()
        ImageData(ImageFolder(folder), **settings).setup("fit")


def test_a_checkpoint_makes_the_data_again(folder, tmp_path):
    module, data = LitAutoencoder(AESNN(3 * 5 * 5, 8), num_steps=3), ImageData(ImageFolder(folder, 5, True), 5)
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = ImageData.load_from_checkpoint(tmp_path / "a.ckpt")
    again.setup("fit")
    assert torch.equal(again.train_set.images, data.train_set.images)
    assert isinstance(again.images, ImageFolder)
    (folder / "ant" / "0.png").write_bytes(b"?")
    sentence = r"give its ImageDataset as an argument, for Expected an image file.*ant/0\.png"
    with pytest.raises(InputError, match=sentence):
        ImageData.load_from_checkpoint(tmp_path / "a.ckpt")
    other = ImageData.load_from_checkpoint(tmp_path / "a.ckpt", images="mnist")
    assert (other.images, other.batch_size) == ("mnist", 5)


def test_tensors_are_in_no_checkpoint_but_can_be_given_again(tmp_path):
    pairs = [(torch.rand(1, 3, 4), str(place % 2)) for place in range(40)]
    images = images_from(pairs)
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(LitAutoencoder(AESNN(12, 4), num_steps=3), datamodule=ImageData(images, 5))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="give its ImageDataset as an argument, for Expected `images` to be Tensor"):
        ImageData.load_from_checkpoint(tmp_path / "a.ckpt")
    assert ImageData.load_from_checkpoint(tmp_path / "a.ckpt", images=images).images is images


COLOUR = ImageDataset(torch.zeros(40, 3, 6, 4, dtype=torch.uint8), torch.arange(40) % 2)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda: LitAutoencoder(AESNN(24, 4)), "images of 3 x 6 x 4 values, got one with 24 inputs: give .* 72"),
        (lambda: LitAutoencoderANN(AEANN(24, 4)), "give --model.network.inputs 72"),
        (lambda: LitTemporalCodingAE(TemporalCodingAE(24, 4)), "give --model.network.inputs 72"),
        (lambda: LitHybridVAE(HybridVAE(24, 4)), "give --model.network.inputs 72"),
        (lambda: LitHybridVAE(HybridVAE(72, 4)), "a network of 72 outputs"),
        (lambda: LitESVAE(ESVAE(side=6, channels=(4,), latent=3)), r"images of shape \[B, 1, 6, 6\]"),
        (lambda: LitSpikingGAN(SpikingGAN(side=4, hidden=8)), r"images of shape \[B, 1, H, W\]"),
    ],
)
def test_images_that_a_network_does_not_take_are_refused_before_anything_is_learned(module, message, tmp_path):
    made = module()
    before = [parameter.clone() for parameter in made.parameters()]
    with pytest.raises(InputError, match=message):
        quiet_trainer(tmp_path, max_epochs=1).fit(made, datamodule=ImageData(COLOUR, 5))
    assert all(torch.equal(one, other) for one, other in zip(before, made.parameters(), strict=True))


@pytest.mark.parametrize("network", [AESNN(72, 8), AEANN(72, 8)])
def test_colour_goes_through_an_autoencoder_and_back(network, tmp_path):
    lit = LitAutoencoder(network, num_steps=3) if isinstance(network, AESNN) else LitAutoencoderANN(network)
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    images = ImageDataset(torch.randint(0, 256, (40, 3, 6, 4), dtype=torch.uint8), torch.arange(40) % 2)
    data = ImageData(images, 5)
    trainer.fit(lit, datamodule=data)
    assert trainer.test(lit, datamodule=data, verbose=False)[0]["test/standardized_mse"] > 0
    drawn = torch.cat(trainer.predict(lit, datamodule=data))
    assert drawn.shape == (8, 3, 6, 4)
    assert network.reconstruct(images[0][0][None]).shape == (1, 3, 6, 4)

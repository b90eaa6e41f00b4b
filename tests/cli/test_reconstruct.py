"""New images drawn by a trained autoencoder."""

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image

from snn_synth.cli import main
from snn_synth.data import ImageFolder, as_pixels, read_image
from snn_synth.experiments.reconstruction import draw, load, read
from snn_synth.models import AESNN
from snn_synth.training import AtomicCheckpointIO, ImageData, LitAutoencoder
from tests.training.tiny import firing_autoencoder

from .conftest import save


def photo(path, size=(20, 14), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def new(tmp_path):
    """Two images that no training has seen."""
    return [photo(tmp_path / "new" / "tom.png"), photo(tmp_path / "new" / "rex.bmp", (9, 30), 1)]


@pytest.fixture
def trained(tmp_path):
    """A checkpoint of images of a folder in colour, 6 x 8."""
    for number in range(12):
        photo(tmp_path / "seen" / f"{number}.png", seed=number)
    images = ImageFolder(tmp_path / "seen", size=[6, 8], color=True, pad=True)
    module = LitAutoencoder(firing_autoencoder(144, 30), num_steps=7, seed=5)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        plugins=[AtomicCheckpointIO()],
        enable_model_summary=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        max_epochs=1,
        limit_train_batches=1,
    )
    trainer.fit(module, ImageData(images, batch_size=4))
    trainer.save_checkpoint(tmp_path / "best.ckpt")
    return tmp_path / "best.ckpt"


def test_images_are_read_and_encoded_as_in_the_training(trained, new):
    source = load(str(trained))
    assert (source.size, source.color, source.pad) == ((6, 8), True, True)
    assert (source.module.num_steps, source.module.seed) == (7, 5)
    image = read(source, new[1])
    assert torch.equal(image, as_pixels(read_image(new[1], [6, 8], color=True, pad=True)[None])[0])
    drawn = draw(source, image)
    assert drawn.any()
    assert torch.equal(drawn * 7, (drawn * 7).round()), "rates of 7 time steps"
    again = draw(load(str(trained), seed=6), image)
    assert not torch.equal(drawn, again), "another seed"


def test_every_file_is_drawn_the_same_whatever_others_there_are(trained, new, tmp_path, capsys):
    command = ["reconstruct", "--checkpoint", str(trained)]
    assert main([*command, "--out", "both", *map(str, new)]) == 0
    said = capsys.readouterr().out
    assert f"{new[0]}: standardized MSE " in said
    assert "Wrote reconstructions.png and 2 pictures into both" in said
    assert main([*command, "--out", "one", str(new[1])]) == 0
    assert "and 1 picture into one" in capsys.readouterr().out
    pictures = [np.asarray(Image.open(tmp_path / "work" / folder / "rex.png")) for folder in ("both", "one")]
    assert np.array_equal(*pictures)
    assert sorted(path.name for path in (tmp_path / "work" / "both").iterdir()) == [
        "reconstructions.png",
        "rex.png",
        "tom.png",
    ]


def test_networks_that_do_not_say_how_images_are_read_take_square_ones(tmp_path, new):
    for inputs, shape in ((3 * 49, (3, 7, 7)), (49, (1, 7, 7))):
        AESNN(inputs, 4).save_pretrained(tmp_path / "mine")
        source = load(str(tmp_path / "mine"), num_steps=3)
        assert read(source, new[0]).shape == shape
        assert source.module.num_steps == 3
    AESNN(50, 4).save_pretrained(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"an image of 50 values, which the network takes, got 1 x 14 x 20 of .*tom"):
        read(load(str(tmp_path / "mine")), new[0])


def test_what_cannot_be_redrawn_is_refused_in_one_sentence(refused, checkpoint, trained, new, tmp_path):
    good, out = ["--checkpoint", trained], ["--out", tmp_path / "out"]
    namesake = photo(tmp_path / "other" / "tom.jpg")
    assert "LitAutoencoder" in refused("reconstruct", "--checkpoint", checkpoint, *out, new[0])
    assert "got fsdd with a AudioToImage" in refused("reconstruct", "--checkpoint", "fsdd", *out, new[0])
    assert "--checkpoint" in refused("reconstruct", *out, new[0])
    assert "an image file, got none at" in refused("reconstruct", *good, *out, new[0], tmp_path / "gone.png")
    assert "files of different names" in refused("reconstruct", *good, *out, new[0], namesake)
    assert "got the folder" in refused("reconstruct", *good, *out, tmp_path / "new")
    assert "got the file" in refused("reconstruct", *good, "--out", new[1], new[0])
    assert "Expected another folder" in refused("reconstruct", *good, "--out", tmp_path / "new", new[0])
    assert "Expected 1 to 5000 time steps" in refused("reconstruct", *good, *out, new[0], "--num-steps", 0)
    assert "time steps" in refused("reconstruct", *good, *out, new[0], "--num-steps", 10**7)
    assert "a seed of at most" in refused("reconstruct", *good, *out, new[0], "--seed", 10**15)
    assert "a device" in refused("reconstruct", *good, *out, new[0], "--device", "abacus")


def test_a_checkpoint_with_a_size_that_is_none_is_refused(trained, tmp_path):
    kept = torch.load(trained, weights_only=True)
    kept["datamodule_hyper_parameters"]["images"]["init_args"]["size"] = [6, -8]
    torch.save(kept, tmp_path / "bad.ckpt")
    with pytest.raises(ValueError, match="`size` as a side or"):
        load(str(tmp_path / "bad.ckpt"))
    assert load(str(save(LitAutoencoder(AESNN(49, 4)), tmp_path / "plain.ckpt"))).size == (7, 7)

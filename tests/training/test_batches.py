import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset, default_collate

from snn_synth.encoding import poisson_encode, sample_keys
from snn_synth.errors import InputError
from snn_synth.models import AEANN, AESNN, HybridPredictor, ImageClassifier, SpikingGAN, TemporalCodingAE
from snn_synth.training import (
    ImageBatch,
    LitAutoencoder,
    LitAutoencoderANN,
    LitHybridPredictor,
    LitImageClassifier,
    LitSpikingGAN,
    LitTemporalCodingAE,
    SpeechBatch,
)
from snn_synth.training.batches import as_batch
from tests.training.test_modules import Record
from tests.training.tiny import firing_autoencoder, quiet_trainer

IMAGES = torch.rand(20, 1, 3, 4, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(20) % 10
PAIRS = TensorDataset(IMAGES, LABELS)


def named(samples):
    images, labels = default_collate(samples)
    return {"images": images, "labels": labels}


LOADERS = {
    "x": DataLoader(IMAGES, 10),
    "x without a channel": DataLoader(IMAGES[:, 0], 10),
    "flat x": DataLoader(IMAGES.flatten(1), 10),
    "[x]": DataLoader(TensorDataset(IMAGES), 10),
    "(x, y)": DataLoader(PAIRS, 10),
    "dict": DataLoader(PAIRS, 10, collate_fn=named),
    "dict of images": DataLoader(PAIRS, 10, collate_fn=lambda samples: {"images": named(samples)["images"]}),
    "ImageBatch": DataLoader(PAIRS, 10, collate_fn=lambda s: ImageBatch(*default_collate(s), torch.arange(len(s)))),
}


@pytest.mark.parametrize("rule", ["bptt", "online"])
@pytest.mark.parametrize("form", LOADERS)
def test_an_autoencoder_learns_and_draws_from_any_loader_of_images(form, rule, tmp_path):
    module, record, loader = LitAutoencoder(firing_autoencoder(12, 5), rule=rule, num_steps=3), Record(), LOADERS[form]
    trainer = quiet_trainer(tmp_path, max_epochs=1, callbacks=[record])
    trainer.fit(module, loader, loader)
    (tested,) = trainer.test(module, loader, verbose=False)
    assert 0 < tested["test/standardized_mse"] < 3
    assert torch.cat(trainer.predict(module, loader)).flatten(1).shape == (20, 12)
    seen = torch.cat([batch.images for *_, batch in record.learned])
    assert torch.equal(seen.flatten(1), IMAGES.flatten(1))


def test_samples_without_an_index_have_the_spikes_of_their_place(tmp_path):
    def spikes(loader, epochs=2):
        record = Record()
        trainer = quiet_trainer(tmp_path, max_epochs=epochs, callbacks=[record])
        trainer.fit(LitAutoencoder(AESNN(12, 5), num_steps=4, seed=6), loader, loader)
        held_out = [outputs["spikes"]["input"] for _, outputs, _ in record.validated]
        return [spikes for _, spikes, *_ in record.learned], held_out

    learned, held_out = spikes(LOADERS["x"])
    for number, found in enumerate(learned):
        epoch, batch = divmod(number, 2)
        keys = sample_keys(6, epoch, batch * 2**32 + torch.arange(10))
        assert torch.equal(found, poisson_encode(IMAGES[10 * batch :][:10].flatten(1), 4, keys=keys))
    for number, found in enumerate(held_out):
        keys = sample_keys(6, -1, number % 2 * 2**32 + torch.arange(10))
        assert torch.equal(found, poisson_encode(IMAGES[10 * (number % 2) :][:10].flatten(1), 4, keys=keys))
    assert all(torch.equal(a, b) for a, b in zip(spikes(LOADERS["(x, y)"])[0], learned, strict=True))


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        (["a", "b"], r"an image tensor x, \(x, y\), or a dict with `images`, got list of \['str', 'str'\]"),
        ((IMAGES, LABELS, LABELS), r"got tuple of \['Tensor', 'Tensor', 'Tensor'\]"),
        ({"img": IMAGES}, r"got a dict of \['img'\]"),
        (7, "got int"),
        (None, "got NoneType"),
        ((IMAGES * 255).byte(), r"floating dtype in \[0, 1\], got torch.uint8: divide them by 255"),
        (IMAGES[0, 0, 0], r"Expected images \[B, C, H, W\].*got \[4\]"),
        ((IMAGES, LABELS[:5]), r"Expected labels as 20 integers, one for each image, got a tensor .*\[5\]"),
        (IMAGES[None], r"Expected images \[B, C, H, W\].*got \[1, 20, 1, 3, 4\]"),
        ((IMAGES, IMAGES), r"Expected labels as 20 integers"),
        ((IMAGES, ["a"] * 2), r"Expected labels as 20 integers, one for each image, got list of \['str', 'str'\]"),
        ({"images": IMAGES, "index": torch.rand(20)}, "Expected index as 20 integers"),
    ],
)
def test_what_is_no_batch_of_images(batch, sentence):
    with pytest.raises(InputError, match=sentence):
        as_batch(ImageBatch, batch, 0)


def test_what_is_no_batch_of_speech():
    with pytest.raises(InputError, match=r"SpeechBatch\(spectrograms, labels, index, image\), got a tensor"):
        as_batch(SpeechBatch, IMAGES, 0)


def test_labels_where_they_are_needed(tmp_path):
    gan = SpikingGAN(3, 4, 8, 10, num_steps=16, smoothing=16.0)
    one_class = SpikingGAN(3, 4, 8, 1, num_steps=16, smoothing=16.0)
    for module in (LitImageClassifier(ImageClassifier(features=8)), LitSpikingGAN(gan)):
        with pytest.raises(InputError, match=r"Expected batches \(x, y\) of images and their labels, got images alone"):
            quiet_trainer(tmp_path, max_epochs=1).fit(module, LOADERS["x"])
        quiet_trainer(tmp_path, max_epochs=1).fit(module, LOADERS["(x, y)"], LOADERS["(x, y)"])
    quiet_trainer(tmp_path, max_epochs=1).fit(LitSpikingGAN(one_class), LOADERS["x"], LOADERS["x"])


def test_other_modules(tmp_path):
    for module in (LitAutoencoderANN(AEANN(12, 5)), LitTemporalCodingAE(TemporalCodingAE(12, 5), noise=0.1)):
        quiet_trainer(tmp_path, max_epochs=1).fit(module, LOADERS["x"], LOADERS["x"])
    with pytest.raises(InputError, match=r"Expected batches SequenceBatch\(spikes, targets, index\), got a tensor"):
        quiet_trainer(tmp_path, max_epochs=1).fit(LitHybridPredictor(HybridPredictor(4, 10, latent=3)), LOADERS["x"])

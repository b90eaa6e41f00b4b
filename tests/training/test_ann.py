import functools

import torch

from snn_synth.data import SpectrogramAugmentation
from snn_synth.encoding import sample_keys
from snn_synth.functional import standardized_mse
from snn_synth.models import ACANN, AEANN, AESNN
from snn_synth.training import LitAudiocoderANN, LitAutoencoder, LitAutoencoderANN, MNISTSubsetData
from snn_synth.training.base import HELD_OUT
from snn_synth.training.loaders import SpeechBatch
from tests.training.tiny import TinyImages, quiet_trainer


def test_an_autoencoder_learns_and_its_metric_is_the_whole_test_sets(tmp_path):
    torch.manual_seed(0)
    data = MNISTSubsetData(batch_size=70)  # ragged at the end
    recipe = {"lr_scheduler": functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=1e-2)}
    module = LitAutoencoderANN(AEANN(784, 64), functools.partial(torch.optim.AdamW, lr=1e-2), **recipe)
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(module, datamodule=data)
    (result,) = trainer.test(module, datamodule=data, verbose=False)
    images = data.test_set.images.unsqueeze(1).float() / 255
    expected = standardized_mse(module.network.reconstruct(images), images).mean().item()
    assert abs(result["test/standardized_mse"] - expected) < 1e-5
    assert expected < 0.6  # a blank output scores 1
    trainer.save_checkpoint(tmp_path / "ann.ckpt")
    again = LitAutoencoderANN.load_from_checkpoint(tmp_path / "ann.ckpt", weights_only=True)
    assert torch.equal(again.network.reconstruct(images), module.network.reconstruct(images))


def test_fed_spikes_it_sees_the_rates_that_a_spiking_network_sees(tmp_path):
    torch.manual_seed(0)
    module = LitAutoencoderANN(AEANN(12, 5), num_steps=6, seed=3)
    module.log = lambda *args, **kwargs: None
    spiking = LitAutoencoder(AESNN(12, 5), num_steps=6, seed=3)
    batch = TinyImages().batch(torch.arange(4, 9))
    images = batch.images.flatten(1)
    rates = spiking.encode(images, batch.index, 0).mean(0)
    assert not torch.equal(rates, spiking.encode(images, batch.index, 1).mean(0))
    torch.testing.assert_close(
        module.training_step(batch, 0), 0.5 * (module.network(rates) - images).square().sum(1).mean()
    )
    held_out = spiking.encode(images, batch.index, HELD_OUT).mean(0)
    assert torch.equal(module.predict_step(batch).flatten(1), module.network(held_out).clamp(0, 1))

    speech = LitAudiocoderANN(ACANN(12, 6, 5), module.network, batch.images, num_steps=6, seed=3)
    spoken = SpeechBatch(batch.images, torch.zeros(5), batch.index, torch.arange(5))
    drawn = module.network.decode(speech.network(held_out)).clamp(0, 1)
    torch.testing.assert_close(speech.predict_step(spoken), drawn)
    speech.log = lambda *args, **kwargs: None
    wrong = speech.network(rates) - module.network.encode(images)
    torch.testing.assert_close(speech.training_step(spoken, 0), wrong.square().sum() / 10)


def test_an_audiocoder_aims_at_the_hidden_vector_of_the_paired_image():
    torch.manual_seed(0)
    gallery = torch.rand(3, 1, 6, 6)
    autoencoder = AEANN(36, 8)
    with torch.no_grad():
        autoencoder.decode.bias[:4] = torch.tensor([-3.0, -0.5, 1.5, 3.0])  # some pixels are out of range
    module = LitAudiocoderANN(ACANN(20, 10, 8), autoencoder, gallery)
    module.log = lambda *args, **kwargs: None
    image = torch.tensor([2, 0, 2, 1])
    batch = SpeechBatch(torch.rand(4, 4, 5), torch.zeros(4), torch.arange(4), image)
    code = module.network(batch.spectrograms.flatten(1))
    target = torch.relu(gallery.flatten(1)[image] @ autoencoder.encode[0].weight.T + autoencoder.encode[0].bias)
    torch.testing.assert_close(module.training_step(batch, 0), ((code - target) ** 2).sum() / 8)
    drawn = code @ autoencoder.decode.weight.T + autoencoder.decode.bias
    torch.testing.assert_close(module.predict_step(batch), drawn.clamp(0, 1))
    assert not any(p.requires_grad for p in autoencoder.parameters())

    augmentation = SpectrogramAugmentation()
    module.augmentation, module.seed = augmentation, 3
    code = module.network(augmentation(batch.spectrograms, sample_keys(3, 0, batch.index, 1)).flatten(1))
    torch.testing.assert_close(module.training_step(batch, 0), ((code - target) ** 2).sum() / 8)

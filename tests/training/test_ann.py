import functools

import torch

from snn_synth.data import SpectrogramAugmentation
from snn_synth.encoding import sample_keys
from snn_synth.functional import standardized_mse
from snn_synth.models import ACANN, AEANN
from snn_synth.training import LitAudiocoderANN, LitAutoencoderANN, MNISTSubsetData
from snn_synth.training.loaders import SpeechBatch
from tests.training.tiny import quiet_trainer


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


def test_an_audiocoder_aims_at_the_hidden_vector_of_the_paired_image():
    torch.manual_seed(0)
    gallery = torch.rand(3, 1, 6, 6)
    autoencoder = AEANN(36, 8)
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

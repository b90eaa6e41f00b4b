"""What a LitAudiocoder keeps besides its weights, to recognize what it has drawn."""

from types import SimpleNamespace

import pytest
import torch

from snn_synth.codec import unpack
from snn_synth.data import MelSpectrogram
from snn_synth.encoding import poisson_encode, sample_keys
from snn_synth.errors import InputError
from snn_synth.functional import fit_temperature, gallery_mse
from snn_synth.kernels.cpu import choice
from snn_synth.models import ACSNN, AESNN
from snn_synth.models.synthesis import TEMPERATURE
from snn_synth.training import LitAudiocoder, SpokenDigitsData
from snn_synth.training.audiocoder import _named, encode_gallery
from tests.training.tiny import firing_autoencoder, quiet_trainer, write_fsdd

DIGITS = tuple("0123456789")


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Makes SpokenDigitsData of one speaker, 12 takes of each digit, 20 of the words to validate."""
    folder = tmp_path_factory.mktemp("speech")
    root = write_fsdd(folder)

    def make(**settings):
        options = {"images": "mnist_subset", "split": "random", "batch_size": 32, "root": root, "test_fraction": 0.25}
        return SpokenDigitsData(front_end=MelSpectrogram(channels=8, frames=10), **(options | settings))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNN_SYNTH_CACHE", str(folder / "cache"))
        yield make


def audiocoder(tmp_path):
    firing_autoencoder(784, 16).save_pretrained(tmp_path / "ae")
    torch.manual_seed(2)
    network = ACSNN(80, 24, 16)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(6)
    return LitAudiocoder(network, autoencoder=str(tmp_path / "ae"), hidden_steps=3, num_steps=8)


def fitted(tmp_path, data, **settings):
    """A trained module, its trainer, and its checkpoint."""
    module, trainer = audiocoder(tmp_path), quiet_trainer(tmp_path, max_epochs=1, **settings)
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    return module, trainer, tmp_path / "a.ckpt"


@pytest.fixture
def checkpoint(tmp_path, speech):
    return fitted(tmp_path, speech(), limit_train_batches=1)[2]


def forge(path, change):
    """Change what a checkpoint holds."""
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    return path


def without_labels(content):
    """As it was before there were labels."""
    del content["labels"], content["state_dict"]["gallery"], content["state_dict"]["temperature"]


@pytest.mark.parametrize("pairing", ["A", "A-mean", "B"])
def test_the_gallery_has_the_image_of_each_label_nearest_its_mean(pairing, tmp_path, speech):
    data = speech(pairing=pairing)
    module, _, path = fitted(tmp_path, data, limit_train_batches=1)
    for label in range(10):
        own = data.gallery[data.gallery_labels == label].flatten(1)
        nearest = own[(own - own.mean(0)).square().sum(1).argmin()]
        assert torch.equal(module.gallery[label].flatten(), nearest)
    model = LitAudiocoder.load_from_checkpoint(path).audio_to_image()
    assert model.labels == DIGITS
    assert torch.equal(model.gallery, module.gallery)
    assert model.image_shape == (1, 28, 28)


def test_the_temperature_is_that_of_the_last_validation(tmp_path, speech):
    data = speech(validation_fraction=0.3)
    module, _, path = fitted(tmp_path, data, num_sanity_val_steps=1)
    batch = data.batch(data.validation_index)
    drawn = module.predict_step(batch)
    expected = fit_temperature(gallery_mse(drawn, module.gallery), batch.labels)
    assert float(module.temperature) == pytest.approx(float(expected), rel=1e-5)
    assert float(module.temperature) != TEMPERATURE
    again = LitAudiocoder.load_from_checkpoint(path)
    assert float(again.audio_to_image().temperature) == float(module.temperature)
    quiet_trainer(tmp_path).validate(again, datamodule=speech(validation_fraction=0.1), verbose=False)
    assert float(again.temperature) == float(module.temperature), "to measure is not to fit"


def test_without_a_validation_it_stays_at_what_is_sensible(tmp_path, speech):
    module, *_ = fitted(tmp_path, speech(validation_fraction=0), limit_train_batches=1)
    assert float(module.temperature) == pytest.approx(TEMPERATURE)


def test_a_checkpoint_of_before_there_were_labels_draws_and_goes_on(checkpoint, tmp_path, speech):
    forge(checkpoint, without_labels)
    module = LitAudiocoder.load_from_checkpoint(checkpoint)
    assert module.audio_to_image().labels is None
    assert quiet_trainer(tmp_path).test(module, datamodule=speech(), verbose=False)[0]["test/standardized_mse"] > 0
    other = audiocoder(tmp_path)
    quiet_trainer(tmp_path, max_epochs=2).fit(other, datamodule=speech(), ckpt_path=checkpoint)
    assert other.audio_to_image().labels == DIGITS


def test_a_run_that_goes_on_keeps_its_temperature_until_the_next_validation(checkpoint, tmp_path, speech, monkeypatch):
    monkeypatch.setattr(choice, "_chosen", {"measured here": "float32"})
    forge(checkpoint, lambda content: content["state_dict"]["temperature"].fill_(0.7))
    forge(checkpoint, lambda content: content.update(fastest_products={"measured here": "listed"}))
    module = audiocoder(tmp_path)
    settings = {"max_epochs": 2, "limit_val_batches": 0, "limit_train_batches": 1}
    quiet_trainer(tmp_path, **settings).fit(module, datamodule=speech(), ckpt_path=checkpoint)
    assert float(module.temperature) == pytest.approx(0.7)
    assert choice.chosen()["measured here"] == "listed", "what every module takes over from a checkpoint"


def test_a_checkpoint_has_what_every_module_keeps_and_what_an_audiocoder_does(monkeypatch):
    monkeypatch.setattr(choice, "_chosen", {"measured here": "float32"})
    content = {}
    LitAudiocoder(ACSNN(80, 6, 12)).on_save_checkpoint(content)
    assert content.pop("fastest_products") == {"measured here": "float32"}
    assert content == {"front_end": None, "autoencoder": None, "labels": None}


def test_an_autoencoder_that_is_adopted_learns_nothing_more():
    module, autoencoder = LitAudiocoder(ACSNN(80, 6, 12)), AESNN(784, 12)
    module.adopt(autoencoder)
    assert not any(weight.requires_grad for weight in autoencoder.parameters())
    assert all(weight.requires_grad for weight in module.network.parameters())


def test_a_trial_run_trains_no_autoencoder_and_writes_nothing(tmp_path, speech):
    torch.manual_seed(0)
    module = LitAudiocoder(ACSNN(80, 24, 16), hidden_steps=3, num_steps=4)
    quiet_trainer(tmp_path / "run", fast_dev_run=1).fit(module, datamodule=speech())
    assert module.autoencoder.sizes == [784, 16, 784]
    assert not (tmp_path / "run").exists()


def test_one_process_trains_the_autoencoder_and_the_others_wait_for_it(tmp_path, monkeypatch, caplog):
    saved, module = firing_autoencoder(784, 16), LitAudiocoder(ACSNN(80, 24, 16))
    monkeypatch.setattr("snn_synth.training.audiocoder.pretrain_autoencoder", lambda *_, **__: pytest.fail("trained"))
    module.trainer = SimpleNamespace(
        fast_dev_run=False,
        default_root_dir=tmp_path,
        is_global_zero=False,
        strategy=SimpleNamespace(barrier=lambda _: saved.save_pretrained(tmp_path / "autoencoder")),
    )
    found = module._find_autoencoder(SimpleNamespace(image_name="MNIST"))
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), saved.parameters(), strict=True))
    assert f"training one on MNIST first, to be saved in {tmp_path / 'autoencoder'}" in caplog.text


@pytest.mark.parametrize("recipe", ["learned", "fixed", "paper"])
def test_the_autoencoder_is_trained_as_the_settings_say(recipe, tmp_path, monkeypatch):
    asked = {}

    def train(images, folder, **settings):
        asked.update(settings, images=images)
        firing_autoencoder(784, 16).save_pretrained(folder)

    monkeypatch.setattr("snn_synth.training.audiocoder.pretrain_autoencoder", train)
    module = LitAudiocoder(ACSNN(80, 24, 16), autoencoder_epochs=3, autoencoder_recipe=recipe, seed=5)
    module.trainer = SimpleNamespace(
        fast_dev_run=False,
        default_root_dir=tmp_path,
        is_global_zero=True,
        strategy=SimpleNamespace(barrier=lambda _: None),
    )
    module._find_autoencoder(SimpleNamespace(image_name="MNIST", image_set="all"))
    assert asked == {"images": "all", "hidden": 16, "epochs": 3, "seed": 5, "recipe": recipe}


def test_hidden_layers_are_numbered_where_there_are_several():
    assert _named("hidden", ["a"]) == {"hidden": "a"}
    assert _named("hidden", ["a", "b"]) == {"hidden1": "a", "hidden2": "b"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda content: content.update(labels=["a", "b"]), "an image for each of 2 labels, got 10"),
        (lambda content: content.update(labels=["\x1b[2J", *"123456789"]), "printable characters"),
        (lambda content: content.update(labels=7), "labels"),
        (lambda content: content["state_dict"].pop("gallery"), "an image for each of 10 labels, got 0"),
        (lambda content: content["state_dict"].update(gallery=torch.zeros(10, 3)), "784 pixels"),
        (lambda content: content["state_dict"].update(temperature=torch.zeros(1, 2)), "size mismatch"),
    ],
)
def test_a_strangers_labels_are_looked_at(change, named, checkpoint):
    with pytest.raises(InputError, match="Expected a checkpoint of LitAudiocoder, got") as caught:
        LitAudiocoder.load_from_checkpoint(forge(checkpoint, change))
    assert named in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_the_autoencoder_may_draw_images_of_another_shape():
    module = LitAudiocoder(ACSNN(80, 6, 12), num_steps=3)
    module.name_labels(("yes", "no"), torch.rand(2, 3, 4, 5))
    module.adopt(AESNN(60, 12))
    model = module.audio_to_image()
    assert model.synthesize(torch.rand(1, 8, 10), 3, torch.Generator().manual_seed(0)).shape == (1, 3, 4, 5)


@pytest.mark.parametrize("name", ["hidden_steps", "train_steps"])
def test_one_step_is_enough_and_none_is_refused(name):
    assert getattr(LitAudiocoder(ACSNN(80, 6, 12), **{name: 1}), name) == 1
    with pytest.raises(InputError, match=f"Expected `{name}` to be at least 1, got 0"):
        LitAudiocoder(ACSNN(80, 6, 12), **{name: 0})


def test_a_gallery_of_many_images_has_the_spikes_of_each():
    """They are encoded some hundred at a time; each has a key of its own."""
    autoencoder = firing_autoencoder(6, 5)
    images = torch.rand(505, 2, 3, generator=torch.Generator().manual_seed(0))
    maps = unpack(encode_gallery(autoencoder, images, 4, seed=3))
    assert maps.shape == (4, 505, 5)
    for place in (0, 499, 500, 504):
        spikes = poisson_encode(images[place].reshape(1, 6), 4, keys=sample_keys(3, torch.tensor([place])))
        assert torch.equal(maps[:, place], autoencoder.encode(spikes)[:, 0])
    assert maps.any(0).any(1).float().mean() > 0.5, "most images fire at all"

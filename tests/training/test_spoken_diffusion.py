"""Training the condition of spoken words."""

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback
from torch import nn

from snn_synth.data import MelSpectrogram
from snn_synth.encoding import sample_keys
from snn_synth.errors import InputError
from snn_synth.models import ACSNN, AudioToImage, CodeCondition, SpikingTokenDenoiser, SpikingVQAE, SpikingVQDiffusion
from snn_synth.training import LitAudiocoder, LitSpokenDiffusion, LitVQDiffusion, SpokenDigitsData, load_checkpoint
from snn_synth.training.words import Parts

from .test_generators import Squares, adam
from .tiny import firing_autoencoder, quiet_trainer, write_fsdd

TOKENS = 10


class OfClasses(nn.Module):
    """Stands in for a denoiser: each class has a token of its own, at every place."""

    tokens = masked = conditions = TOKENS
    places = 49

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(4.0))

    def forward(self, tokens, condition):
        return (self.scale * condition)[:, None].expand(-1, self.places, -1)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    front_end = MelSpectrogram(channels=8, frames=10)
    root = write_fsdd(tmp_path / "data")
    return SpokenDigitsData(
        images="mnist_subset", pairing="B", front_end=front_end, split="random", batch_size=20, root=root
    )


def parts():
    torch.manual_seed(0)
    audiocoder = ACSNN(80, 64, 32)
    with torch.no_grad():
        for weight in audiocoder.parameters():
            weight.mul_(4.0)
    network = SpikingVQDiffusion(SpikingVQAE(28, (3, 4), 3, TOKENS), SpikingTokenDenoiser(TOKENS, 49, hidden=12))
    return AudioToImage(audiocoder, firing_autoencoder(784, 32)), network


def module_of(seed=0, lr=0.1, **settings):
    module = LitSpokenDiffusion(CodeCondition(32, 10), num_steps=12, seed=seed, optimizer=adam(lr), **settings)
    module.adopt(*parts())
    return module


def test_it_learns_from_the_images_which_word_was_said(data, tmp_path, monkeypatch):
    module = module_of()
    # Of an image's tokens all are its class, as the denoiser's stand-in has it: the classes are nowhere else.
    labels = {}
    found = module._images

    def images(words, generator):
        labels["of images"] = words
        return found(words, generator)

    monkeypatch.setattr(module, "_images", images)
    monkeypatch.setattr(
        module.diffusion.autoencoder, "encode", lambda batch: labels["of images"][:, None].expand(-1, 49)
    )
    module.diffusion.denoiser = OfClasses()
    quiet_trainer(tmp_path, max_epochs=40).fit(module, data)
    batch = data.batch(data.train_index)
    right = module.network(module.rates_of(batch)).argmax(1) == batch.labels
    assert right.float().mean() > 0.8


def test_the_loss_is_that_of_the_equation_and_the_parts_stay_as_they_are(data, tmp_path):
    module, found = module_of(seed=3, lr=0.0), []

    class Keep(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            found.append((trainer.callback_metrics["train/loss"].item(), batch))

    before = {name: value.clone() for name, value in module.state_dict().items()}
    quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1, limit_val_batches=0, callbacks=[Keep()]).fit(
        module, data
    )
    ((loss, batch),) = found
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items() if name in before)

    generator = torch.Generator().manual_seed(int(sample_keys(3, 0, batch.index[:1])))
    shares = torch.rand(20, generator=generator)
    pixels, classes = data.image_set.images, data.image_set.labels
    chosen = []
    for label, share in zip(batch.labels, shares, strict=True):
        of_class = torch.nonzero(classes == label).flatten()
        chosen.append(pixels[of_class[int(share * len(of_class))]])
    network = module.diffusion.eval()
    with torch.no_grad():
        tokens = network.autoencoder.encode(torch.stack(chosen).view(20, 1, 28, 28) / 255)
        hidden = torch.rand(20, generator=generator)
        masked = torch.rand(20, 49, generator=generator) < hidden[:, None]
        logits = network.denoiser(tokens.masked_fill(masked, TOKENS), torch.full((20, 10), 0.1))
    nats = [F.cross_entropy(logits[b, i], tokens[b, i]) for b in range(20) for i in range(49) if masked[b, i]]
    assert loss == pytest.approx(float(torch.stack(nats).mean()), rel=2e-3)
    assert not any(
        parameter.requires_grad for part in (module.audio, module.diffusion) for parameter in part.parameters()
    )


@pytest.mark.parametrize("heard", [False, True])
def test_held_out_words_are_measured_by_numbers_that_are_always_the_same(data, tmp_path, heard):
    """Of two test loaders, as where a speaker is left out, the first alone, and under its own name."""
    module = module_of(seed=3)
    if heard:
        parted = Parts(*(torch.arange(start, 120, 3) for start in range(3)))
        data.__dict__["_sources"] = data._sources._replace(parts=parted)
        data.split, data.validation_fraction, tested = "leave-one-speaker-out", 0.25, "held_out_index"
    else:
        tested = "test_index"
    trainer = quiet_trainer(tmp_path)
    (found, *more) = trainer.test(module, data, verbose=False)
    assert found.keys() == {"test/nats"}
    assert not any(more)
    index, nats = getattr(data, tested), []
    for start in range(0, len(index), 20):
        batch = data.batch(index[start : start + 20])
        generator = torch.Generator().manual_seed(int(sample_keys(3, -1, batch.index[:1])))
        shares = torch.rand(len(batch.index), generator=generator)
        pixels, classes = data.image_set.images, data.image_set.labels
        chosen = [
            (of := torch.nonzero(classes == label).flatten())[int(share * len(of))]
            for label, share in zip(batch.labels, shares, strict=True)
        ]
        network = module.diffusion.eval()
        with torch.no_grad():
            tokens = network.autoencoder.encode(pixels[torch.stack(chosen)].view(-1, 1, 28, 28) / 255)
            hidden = torch.rand(len(tokens), generator=generator)
            masked = torch.rand(len(tokens), 49, generator=generator) < hidden[:, None]
            logits = network.denoiser(tokens.masked_fill(masked, TOKENS), torch.full((len(tokens), 10), 0.1))
        nats += [F.cross_entropy(logits[place], tokens[place]) for place in zip(*masked.nonzero().T, strict=True)]
    assert found["test/nats"] == pytest.approx(float(torch.stack(nats).mean()), rel=2e-3)


def test_rates_are_those_of_the_audiocoder_and_made_once(data, tmp_path):
    module = module_of(seed=5)
    data.prepare_data()
    data.setup("fit")
    batch = data.batch(data.train_index[:4])
    keys = sample_keys(5, -1, batch.index)
    expected = module.audio(batch.spectrograms, 12, keys=keys).hidden.mean(0)
    assert expected.std() > 0
    assert torch.equal(module.rates_of(batch), expected)
    silent = batch._replace(spectrograms=torch.zeros_like(batch.spectrograms))
    assert torch.equal(module.rates_of(silent), expected), "kept by the words' places"


def test_a_batch_in_which_nothing_is_masked_has_no_loss(data, monkeypatch):
    module = module_of()
    monkeypatch.setattr(module, "rates_of", lambda batch: torch.zeros(1, 32))
    monkeypatch.setattr(module, "_nats", lambda *_: torch.empty(0))
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    data.prepare_data()
    data.setup("fit")
    monkeypatch.setattr(LitSpokenDiffusion, "current_epoch", 0)
    assert module.training_step(data.batch(data.train_index[:1]), 0) == 0


def test_the_loss_of_a_single_token_is_its_own(data, monkeypatch):
    module = module_of()
    monkeypatch.setattr(module, "rates_of", lambda batch: torch.zeros(1, 32))
    monkeypatch.setattr(module, "_nats", lambda *_: torch.tensor([3.0]))
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    data.prepare_data()
    data.setup("fit")
    monkeypatch.setattr(LitSpokenDiffusion, "current_epoch", 0)
    assert module.training_step(data.batch(data.train_index[:1]), 0) == 3


@pytest.mark.parametrize("part", ["audio", "diffusion"])
def test_a_checkpoint_whose_parts_are_none_is_refused(data, tmp_path, part):
    module = module_of()
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(module, data)
    trainer.save_checkpoint(tmp_path / "whole.ckpt")
    again = load_checkpoint(LitSpokenDiffusion, tmp_path / "whole.ckpt")
    for (name, there), found in zip(module.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(there, found), name
    checkpoint = torch.load(tmp_path / "whole.ckpt", weights_only=True)
    torch.save(checkpoint | {part: ["no", "description"]}, tmp_path / "bad.ckpt")
    with pytest.raises(InputError, match="Expected the description of one of"):
        load_checkpoint(LitSpokenDiffusion, tmp_path / "bad.ckpt")


def test_samples_and_predictions_are_new_images_of_the_words(data, tmp_path):
    module = module_of(seed=2)
    with pytest.raises(InputError, match=r"Expected words of a validation, .* got none before the first"):
        module.sample(7)
    data.batch_size, data.validation_fraction = 6, 0.2
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(module, data)
    assert {"train/loss", "val/nats"} <= trainer.progress_bar_metrics.keys()
    drawn = torch.cat(quiet_trainer(tmp_path).predict(module, data))
    assert drawn.shape == (len(data.test_index), 1, 28, 28)
    assert 0 <= drawn.min() < drawn.max() <= 1
    first, whole = data.batch(data.test_index[:6]), module.spoken_diffusion()
    generator = torch.Generator().manual_seed(int(sample_keys(2, -1, first.index[:1])))
    assert torch.equal(drawn[:6], whole.imagine(module.rates_of(first), 1, generator)[:, 0])
    assert len(data.validation_index) > 6
    heard = module.rates_of(data.batch(data.validation_index[:6]))
    for count, words, each in ((7, 2, 4), (5, 1, 5), (1, 1, 1), (40, 6, 7)):
        made = module.sample(count, torch.Generator().manual_seed(count))
        expected = whole.imagine(heard[:words], each, torch.Generator().manual_seed(count))
        assert torch.equal(made, torch.cat([*expected])[:count])


def test_data_that_does_not_fit_is_refused_before_anything_is_learned(data, tmp_path):
    with pytest.raises(InputError, match="Expected a SpokenWordsData as `datamodule`, got Squares"):
        quiet_trainer(tmp_path, max_epochs=1).fit(module_of(), Squares())
    data.front_end = MelSpectrogram(channels=8, frames=11)
    with pytest.raises(InputError, match="Expected spectrograms of 80 values, got spectrograms of 88 values"):
        quiet_trainer(tmp_path, max_epochs=1).fit(module_of(), data)


def test_images_and_words_of_another_form_are_refused(data, tmp_path):
    class Spikes(type(data)):
        front_end = property(lambda self: None, lambda self, value: None)
        inputs = 80

    data.prepare_data()
    data.setup("fit")
    data.image_set = Squares(batch_size=4)
    data.image_set.image_shape = (3, 28, 28)
    module = module_of()
    with pytest.raises(InputError, match=r"Expected images of 28 x 28 pixels in grey, got \[3, 28, 28\]"):
        quiet_trainer(tmp_path, max_epochs=1).fit(module, data)
    data.__class__ = Spikes
    with pytest.raises(InputError, match="Expected spectrograms of 80 values, got spikes"):
        quiet_trainer(tmp_path, max_epochs=1).fit(module, data)


def test_parts_that_do_not_fit_each_other_are_refused():
    module = LitSpokenDiffusion(CodeCondition(31, 10))
    with pytest.raises(InputError, match="31"):
        module.adopt(*parts())


def test_a_diffusion_of_a_checkpoint_is_the_one_that_was_trained(data, tmp_path):
    audio, network = parts()
    audio.save_pretrained(tmp_path / "audio")
    trainer = quiet_trainer(tmp_path)
    trainer.strategy.connect(LitVQDiffusion(network))
    trainer.save_checkpoint(tmp_path / "diffusion.ckpt")
    sources = {"audio": str(tmp_path / "audio"), "diffusion": str(tmp_path / "diffusion.ckpt")}
    module = LitSpokenDiffusion(CodeCondition(32, 10), num_steps=3, guidance=0.5, **sources)
    quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1, limit_val_batches=1).fit(module, data)
    for (name, there), found in zip(network.state_dict().items(), module.diffusion.state_dict().values(), strict=True):
        assert torch.equal(there, found), name
    assert module.diffusion.guidance == 0.5


def test_the_audiocoder_of_a_checkpoint_hears_as_it_was_trained(data, tmp_path):
    audio, network = parts()
    trained = LitAudiocoder(audio.audiocoder, num_steps=9)
    trained.adopt(audio.autoencoder)
    trainer = quiet_trainer(tmp_path)
    trainer.strategy.connect(trained)
    trainer.save_checkpoint(tmp_path / "audio.ckpt")
    network.save_pretrained(tmp_path / "diffusion")
    sources = {"audio": str(tmp_path / "audio.ckpt"), "diffusion": str(tmp_path / "diffusion")}
    module = LitSpokenDiffusion(CodeCondition(32, 10), num_steps=12, **sources)
    with pytest.raises(InputError, match=r"Expected --model.num_steps 9, as .*audio.ckpt was trained, got 12"):
        quiet_trainer(tmp_path, max_epochs=1).fit(module, data)
    module = LitSpokenDiffusion(CodeCondition(32, 10), num_steps=9, optimizer=adam(0.01), **sources)
    quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1).fit(module, data)
    for (name, there), found in zip(
        audio.audiocoder.state_dict().items(), module.audio.audiocoder.state_dict().values(), strict=True
    ):
        assert torch.equal(there, found), name


@pytest.mark.parametrize(
    ("settings", "got"),
    [
        ({"guidance": -1.0}, "got -1.0, 12 and 1.0"),
        ({"guidance": float("inf")}, "got inf, 12 and 1.0"),
        ({"max_rate": 2.0}, "got 0.5, 12 and 2.0"),
        ({"code": "morse"}, "got 'morse'"),
    ],
)
def test_settings_out_of_range_are_refused(settings, got):
    with pytest.raises(InputError, match=got):
        module_of(**settings)


def test_without_a_fit_there_is_nothing_to_draw_with():
    with pytest.raises(InputError, match="one before its first `fit`"):
        LitSpokenDiffusion(CodeCondition()).spoken_diffusion()

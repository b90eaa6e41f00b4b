"""Modules of the generators and of the classifier that measures them."""

import functools

import pytest
import torch
import torch.nn.functional as F

from snn_synth.encoding import sample_keys, step_times
from snn_synth.errors import InputError
from snn_synth.evaluation import shuffled_pixels
from snn_synth.functional import homeostatic_loss, normalized_timing_loss, rbf_mmd, relative_targets
from snn_synth.models import ESVAE, FirstSpikeClassifier, ImageClassifier
from snn_synth.training import LitESVAE, LitFirstSpikeClassifier, LitImageClassifier

from .tiny import TinyImages, quiet_trainer


class Squares(TinyImages):
    """Of 28 x 28 pixels: each label has a bright square of its own."""

    def __init__(self, **settings):
        super().__init__(train=200, test=50, **settings)
        self.images = 0.1 * torch.rand(250, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        for place in range(250):
            label = place % 10
            self.images[place, 0, 14 * (label // 5) :, 5 * (label % 5) :][:8, :5] += 0.8


def adam(lr):
    return functools.partial(torch.optim.Adam, lr=lr)


def first_batch_loss(tmp_path, module, data):
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1, limit_val_batches=0)
    trainer.fit(module, data)
    return trainer.callback_metrics["train/loss"].item()


def test_an_esvae_learns_error_and_discrepancy(tmp_path):
    torch.manual_seed(0)
    vae, data = ESVAE(channels=(3, 3), latent=4, num_steps=3), Squares()
    module = LitESVAE(vae, mmd_weight=0.5, seed=7, optimizer=adam(1e-3))
    batch = next(iter(data.train_dataloader()))
    generator = torch.Generator().manual_seed(int(sample_keys(7, 0, batch.index[:1])))
    out = vae(batch.images, generator)
    mmd = rbf_mmd(out.rates, vae.prior_rates(10, generator))
    expected = ((2 * out.images - 2 * batch.images) ** 2).mean() + 0.5 * mmd
    assert 0.1 * expected < 0.5 * mmd < 0.9 * expected, "both terms count"
    assert first_batch_loss(tmp_path, module, data) == pytest.approx(expected.item(), rel=1e-5)


def test_the_prior_has_a_rate_of_its_own():
    vae = ESVAE(channels=(3, 3), latent=4, num_steps=3)
    optimizer = LitESVAE(vae, optimizer=adam(1e-3)).configure_optimizers()
    rates = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates.keys() == set(vae.parameters())
    assert all(rates[p] == (1e-2 if name.startswith("prior.") else 1e-3) for name, p in vae.named_parameters())
    with pytest.raises(InputError, match="Expected `prior_share` above 0, got 0"):
        LitESVAE(vae, prior_share=0)


def held_out_generator(seed, index):
    """That of a batch of a validation or a test: the same in every epoch."""
    return torch.Generator().manual_seed(int(sample_keys(seed, -1, index[:1])))


def measured(tmp_path, module, data):
    """What the validation and the test find, which have the same samples here."""
    trainer = quiet_trainer(tmp_path)
    [validated], [tested] = (run(module, data, verbose=False) for run in (trainer.validate, trainer.test))
    assert {name.replace("val/", "test/"): value for name, value in validated.items()} == tested
    return tested


def test_what_is_measured_of_an_esvae_is_the_mean_over_all_images(tmp_path):
    torch.manual_seed(0)
    vae, data = ESVAE(channels=(3, 3), latent=4, num_steps=3), Squares(batch_size=20)  # the last batch has 10
    module = LitESVAE(vae, seed=7)
    found = measured(tmp_path, module, data)
    errors, discrepancies, rates, drawn = [], [], [], []
    vae.eval()
    for batch in data.test_dataloader():
        generator = held_out_generator(7, batch.index)
        with torch.no_grad():
            out = vae(batch.images, generator)
            discrepancies += [rbf_mmd(out.rates, vae.prior_rates(len(batch.index), generator))] * len(batch.index)
        errors += (out.images - batch.images).square().mean((1, 2, 3))
        rates += out.rates.mean(1)
        drawn.append(out.images)
    assert len(errors) == 50
    for name, values in {"pixel_mse": errors, "mmd": discrepancies, "rate": rates}.items():
        assert found.pop(f"test/{name}") == pytest.approx(torch.stack(values).mean().item(), rel=1e-4)
    assert not found
    torch.testing.assert_close(torch.cat(quiet_trainer(tmp_path).predict(module, data)), torch.cat(drawn))


def test_two_images_have_a_discrepancy():
    torch.manual_seed(0)
    module = LitESVAE(ESVAE(side=8, channels=(3,), latent=4, num_steps=3), mmd_weight=0).eval()
    two = TinyImages().batch(torch.tensor([7, 8]))._replace(images=torch.rand(2, 1, 8, 8))
    out, mmd = module._run(two, -1)
    generator = held_out_generator(0, two.index)
    module.network(two.images, generator)
    assert mmd == rbf_mmd(out.rates, module.network.prior_rates(2, generator)) != 0


@pytest.mark.slow
def test_an_esvae_learns_images_and_is_measured_with_a_fixed_seed(tmp_path):
    torch.manual_seed(0)
    module = LitESVAE(ESVAE(channels=(4, 8), latent=16, num_steps=4), optimizer=adam(5e-3))
    data = Squares(batch_size=20)
    trainer = quiet_trainer(tmp_path, max_epochs=15)
    (before,) = trainer.validate(module, data, verbose=False)
    trainer.fit(module, data)
    first, second = (trainer.test(module, data, verbose=False)[0] for _ in range(2))
    assert first == second
    mean = data.images[:200].mean(0)
    assert first["test/pixel_mse"] < 0.5 * (data.images[200:] - mean).square().mean()
    assert first["test/pixel_mse"] < 0.5 * before["val/pixel_mse"]
    drawn = torch.cat(trainer.predict(module, data))
    assert (drawn - data.images[200:]).square().mean().item() == pytest.approx(first["test/pixel_mse"], rel=1e-4)


@pytest.mark.parametrize("advance", [0.0, 3.0])
def test_a_first_spike_classifier_learns_its_relative_targets(tmp_path, advance):
    torch.manual_seed(0)
    net, data = FirstSpikeClassifier(784, 20, 10, 16), Squares()
    module = LitFirstSpikeClassifier(net, margin=2.0, advance=advance, optimizer=adam(1e-3))
    batch = next(iter(data.train_dataloader()))
    times = net(step_times(batch.images.flatten(1), 16)).times.detach()
    targets = relative_targets(times, batch.labels, 2.0, advance, 16)
    expected = normalized_timing_loss(times, targets, 16, least=2.0).item()
    assert expected > 0.01
    assert first_batch_loss(tmp_path, module, data) == pytest.approx(expected, rel=1e-5)


def test_what_is_measured_of_a_first_spike_classifier_is_the_mean_over_all_images(tmp_path):
    torch.manual_seed(0)
    net, data = FirstSpikeClassifier(784, 20, 10, 16), Squares(batch_size=20)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(3)  # some outputs fire
    module = LitFirstSpikeClassifier(net)
    found = measured(tmp_path, module, data)
    out = net(step_times(data.images[200:].flatten(1), 16))
    right = [int(label) == place % 10 for place, label in enumerate(out.labels)]
    assert 0 < sum(right) < 50
    assert found == {
        "test/accuracy": pytest.approx(sum(right) / 50),
        "test/decision": pytest.approx(out.times.min(1).values.double().mean().item() / 16),
        "test/spikes": pytest.approx(out.spikes.double().mean().item()),
    }
    assert torch.equal(torch.cat(quiet_trainer(tmp_path).predict(module, data)), out.labels)


def test_a_first_spike_classifiers_hidden_neurons_are_kept_near_three_quarters_of_the_time():
    torch.manual_seed(0)
    net = FirstSpikeClassifier(784, 20, 10, 16)
    module = LitFirstSpikeClassifier(net, margin=0.5, homeostasis=0.2)
    logged = {}
    module.log = lambda name, value, **_: logged.update({name: value.item()})
    batch = Squares().batch(torch.arange(10))
    loss = module.training_step(batch, 0)
    kept = homeostatic_loss(module.run(batch).hidden, net.hidden.weight, 0.75, 16)
    assert kept.abs() > 0.1
    assert loss.item() == pytest.approx(logged["train/loss"] + 0.2 * kept.item(), rel=1e-5)


@pytest.mark.slow
def test_a_first_spike_classifier_learns_and_says_when_it_decides(tmp_path):
    torch.manual_seed(0)
    data = Squares(batch_size=20)
    module = LitFirstSpikeClassifier(FirstSpikeClassifier(784, 40, 10, 32, 32.0), optimizer=adam(1e-2))
    trainer = quiet_trainer(tmp_path, max_epochs=30)
    trainer.fit(module, data)
    (found,) = trainer.test(module, data, verbose=False)
    out = module.network(step_times(data.images[200:].flatten(1), 32))
    labels = torch.arange(200, 250) % 10
    assert found["test/accuracy"] == pytest.approx((out.labels == labels).float().mean().item())
    assert found["test/accuracy"] > 0.9
    assert found["test/decision"] == pytest.approx(out.decision.mean().item() / 32)
    assert found["test/spikes"] == pytest.approx(out.spikes.float().mean().item())
    assert torch.equal(torch.cat(trainer.predict(module, data)), out.labels)


def test_a_classifiers_loss_and_its_share_of_right_labels_over_all_images(tmp_path):
    torch.manual_seed(0)
    net, data = ImageClassifier(features=8), Squares(batch_size=20)
    module = LitImageClassifier(net, seed=5)
    module.log = lambda *_, **__: None
    batch = data.batch(torch.arange(3, 10))
    sure, unsure = net(batch.images), net(shuffled_pixels(batch.images, int(sample_keys(5, 0, batch.index[:1]))))
    shares = sure.softmax(1)[torch.arange(7), batch.labels], unsure.softmax(1)
    expected = -shares[0].log().mean() - shares[1].log().mean()
    torch.testing.assert_close(module.training_step(batch, 0), expected)

    module = LitImageClassifier(net, seed=5)
    with torch.no_grad():
        labels = torch.cat([net(images).max(1).indices for images in data.images[200:].split(20)])
    right = [int(label) == place % 10 for place, label in enumerate(labels)]
    assert 0 < sum(right) < 50
    assert measured(tmp_path, module, data) == {"test/accuracy": pytest.approx(sum(right) / 50)}
    assert torch.equal(torch.cat(quiet_trainer(tmp_path).predict(module, data)), labels)


@pytest.mark.slow
def test_a_classifier_learns_classes_and_to_doubt_what_is_none(tmp_path):
    torch.manual_seed(0)
    data = Squares(batch_size=20)
    module = LitImageClassifier(ImageClassifier(features=16), seed=5, optimizer=adam(3e-3))
    batch = next(iter(data.train_dataloader()))
    shuffled = shuffled_pixels(batch.images, int(sample_keys(5, 0, batch.index[:1])))
    sure, unsure = module.network(batch.images), module.network(shuffled)
    uniform = torch.full((20, 10), 0.1)
    expected = F.cross_entropy(sure, batch.labels) + F.cross_entropy(unsure, uniform)
    trainer = quiet_trainer(tmp_path, max_epochs=12)
    trainer.fit(module, data)
    first = first_batch_loss(tmp_path, LitImageClassifier(module.network, 5, adam(0.0)), data)
    torch.manual_seed(0)
    again = LitImageClassifier(ImageClassifier(features=16), seed=5, optimizer=adam(0.0))
    assert first_batch_loss(tmp_path, again, data) == pytest.approx(expected.item(), rel=1e-5)
    assert first < 0.9 * expected.item()
    (found,) = trainer.test(module, data, verbose=False)
    assert found["test/accuracy"] > 0.9
    images = data.images[200:]
    assert (module.network.probabilities(images).max(1).values > 0.9).float().mean() > 0.8
    assert (module.network.probabilities(shuffled_pixels(images, 1)).max(1).values > 0.9).float().mean() < 0.05


def test_shuffled_pixels_are_the_same_pixels_elsewhere():
    images = Squares().images[:5]
    shuffled = shuffled_pixels(images, 3)
    assert torch.equal(shuffled.flatten(1).sort().values, images.flatten(1).sort().values)
    assert (shuffled != images).float().mean() > 0.9
    assert torch.equal(shuffled_pixels(images, 3), shuffled)
    assert not torch.equal(shuffled_pixels(images, 4), shuffled)


def test_a_single_image_has_no_discrepancy():
    module = LitESVAE(ESVAE(side=8, channels=(3,), latent=4, num_steps=3)).eval()
    one = TinyImages().batch(torch.tensor([7]))._replace(images=torch.rand(1, 1, 8, 8))
    assert module.predict_step(one).shape == (1, 1, 8, 8)
    assert module._run(one, 0)[1] == 0


def test_bad_input():
    with pytest.raises(InputError, match="Expected `mmd_weight` to be at least 0, got -1"):
        LitESVAE(ESVAE(channels=(2,), latent=2), mmd_weight=-1)
    with pytest.raises(InputError, match=r"a positive `margin`, .* got 0, 0\.0 and 0\.01"):
        LitFirstSpikeClassifier(FirstSpikeClassifier(), margin=0)
    with pytest.raises(InputError, match=r"of at least 0, got 3\.0, -0\.5 and 0\.01"):
        LitFirstSpikeClassifier(FirstSpikeClassifier(), advance=-0.5)
    with pytest.raises(InputError, match=r"Expected images of shape \[B, 1, H, W\], got \[3, 28, 28\]"):
        ImageClassifier()(torch.zeros(3, 28, 28))

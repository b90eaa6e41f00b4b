import functools

import pytest
import torch

from snn_synth.encoding import sample_keys
from snn_synth.errors import InputError
from snn_synth.functional import (
    class_energy_distance,
    homeostatic_loss,
    normalize_gradient,
    normalized_timing_loss,
    relative_targets,
    softmax_timing_loss,
    variance_ratio,
)
from snn_synth.models import SpikingGAN
from snn_synth.training import LitSpikingGAN
from snn_synth.training.loaders import ImageBatch

from .tiny import TinyImages, quiet_trainer

T = 16


class Bars(TinyImages):
    """Of 8 x 8 pixels and three classes: a bar above, below, or across."""

    def __init__(self, **settings):
        super().__init__(train=300, test=60, **settings)
        noise = torch.rand(360, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        self.images = torch.zeros(360, 1, 8, 8)
        for place in range(360):
            bar = {0: (slice(0, 3), slice(None)), 1: (slice(5, 8), slice(None)), 2: (slice(None), slice(3, 5))}[
                place % 3
            ]
            self.images[place, 0][bar] = 0.5 + 0.5 * noise[place, 0][bar]

    def batch(self, places):
        return super().batch(places)._replace(labels=places % 3)


def gan():
    torch.manual_seed(0)
    return SpikingGAN(side=8, latent=6, hidden=32, classes=3, num_steps=T, smoothing=16.0)


def lit(lr=0.0, **settings):
    return LitSpikingGAN(gan(), seed=5, optimizer=functools.partial(torch.optim.SGD, lr=lr), **settings)


def features(times):
    pixels = 1 - times / T
    return torch.cat([pixels, pixels**2], 1)


@pytest.mark.parametrize(("loss", "advance"), [("softmax", 0.0), ("relative", 0.0), ("relative", 1.0)])
def test_each_network_learns_its_loss_and_nothing_of_the_others(tmp_path, loss, advance):
    data, rate = Bars(), 1e-3
    module = lit(
        rate, loss=loss, advance=advance, matching=3.0, adversarial=2.0, homeostasis=0.1, energy=5.0, repulsion=0.7
    )
    before = gan()
    batch = next(iter(data.train_dataloader()))
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1, limit_val_batches=0)
    trainer.fit(module, data)

    def error(times, labels):
        if loss == "softmax":
            return softmax_timing_loss(times, labels, T / 8)
        return normalized_timing_loss(
            times, relative_targets(times.detach(), labels, T / 8, advance, T), T, least=T / 8
        )

    generator = torch.Generator().manual_seed(int(sample_keys(5, 0, batch.index[:1])))
    real, labels = before.encode(batch.images), batch.labels
    fake = before.generate(before.noise(labels, generator)).times.detach()
    out = before.discriminate(torch.cat([real, fake]))
    first, second = before.discriminator
    objective = 2 * error(out.times, torch.cat([labels, torch.full_like(labels, 3)]))
    assert trainer.callback_metrics["train/loss"].item() == pytest.approx(objective.item(), rel=1e-5)
    objective = objective + 0.1 * homeostatic_loss(out.hidden, first.weight, 0.75, T)
    objective = objective + 0.1 * homeostatic_loss(out.times, second.weight, 0.5, T)
    objective.backward()
    for new, old in zip(module.network.discriminator.parameters(), before.discriminator.parameters(), strict=True):
        assert old.grad.abs().sum() > 0
        torch.testing.assert_close(new, old - rate * old.grad)

    drawn = before.generate(before.noise(labels, generator))
    trained = module.network  # already updated
    alike = 0.0
    for c in labels.unique():
        apart = features(drawn.times)[labels == c].mean(0) - features(real)[labels == c].mean(0)
        alike = alike + 3.0 * 0.5 * apart.square().sum() / 3
    alike = alike + 5.0 * class_energy_distance(1 - drawn.times / T, 1 - real / T, labels, 0.7)
    objective = alike + 2.0 * error(trained.discriminate(normalize_gradient(drawn.times)).times, labels)
    objective = objective + 0.1 * homeostatic_loss(drawn.hidden, before.generator[0].weight, 0.75, T)
    before.zero_grad()
    objective.backward()
    for new, old in zip(module.network.generator.parameters(), before.generator.parameters(), strict=True):
        assert old.grad.abs().sum() > 0
        torch.testing.assert_close(new, old - rate * old.grad)


class Rare(Bars):
    """Its batches have one image of the second class, and none of the third."""

    def batch(self, places):
        return super().batch(places)._replace(labels=(torch.arange(len(places)) == 4).long())


def test_a_class_that_was_seen_once_has_that_image_for_its_mean_and_one_not_seen_has_none(tmp_path):
    module, before = lit(matching=3.0, adversarial=0, homeostasis=0), gan()
    batch = next(iter(Rare().train_dataloader()))
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1, limit_val_batches=0)
    trainer.fit(module, Rare())
    generator = torch.Generator().manual_seed(int(sample_keys(5, 0, batch.index[:1])))
    before.noise(batch.labels, generator)  # of the discriminator's step
    drawn = features(before.generate(before.noise(batch.labels, generator)).times)
    real = features(before.encode(batch.images))
    rare = batch.labels == 1
    apart = drawn[rare][0] - real[4], drawn[~rare].mean(0) - real[~rare].mean(0)
    expected = 3.0 * 0.5 * sum(one.square().sum() for one in apart) / 3
    assert trainer.callback_metrics["train/generator"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_what_is_measured_is_the_share_of_images_that_are_taken_for_their_class(tmp_path):
    module, data, trainer = lit(), Bars(batch_size=25), quiet_trainer(tmp_path)  # the last batch has 10
    net, fooled, named = module.network, [], []
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(1.5)
        for batch in data.test_dataloader():
            generator = torch.Generator().manual_seed(int(sample_keys(5, -1, batch.index[:1])))
            drawn = net.images(net.generate(net.noise(batch.labels, generator)).times)
            fooled += (net.discriminate(net.encode(drawn)).labels == batch.labels).tolist()
            named += (net.discriminate(net.encode(batch.images)).labels == batch.labels).tolist()
    assert len(fooled) == len(named) == 60
    assert sum(fooled) != sum(named)
    shares = {"fooled": pytest.approx(sum(fooled) / 60), "named": pytest.approx(sum(named) / 60)}
    for run, stage in ((trainer.validate, "val"), (trainer.test, "test")):
        [found] = run(module, data, verbose=False)
        assert found == {f"{stage}/{name}": share for name, share in shares.items()}


def test_two_classes_need_labels_and_one_has_none():
    images, labels = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 1, 0])
    batch = ImageBatch(images, labels, torch.arange(4))
    for classes in (1, 2):
        torch.manual_seed(0)
        module = LitSpikingGAN(SpikingGAN(8, 6, 32, classes, num_steps=T, smoothing=16.0))
        assert module.needs_labels == (classes == 2)
        drawn = module.predict_step(batch)
        alike = [
            torch.equal(drawn, module.predict_step(batch._replace(labels=other))) for other in (0 * labels, labels)
        ]
        assert alike == [classes == 1, True]


def test_it_learns_to_draw_what_is_asked_for(tmp_path):
    data = Bars(batch_size=30)
    adam = functools.partial(torch.optim.Adam, lr=3e-3, betas=(0.5, 0.99))
    module = LitSpikingGAN(gan(), optimizer=adam)
    trainer = quiet_trainer(tmp_path, max_epochs=40)
    trainer.fit(module, data)
    labels = torch.arange(60) % 3
    drawn = module.network.sample(60, torch.Generator().manual_seed(1), labels)
    means = torch.stack([data.images[:300][torch.arange(300) % 3 == c].mean(0) for c in range(3)])
    nearest = torch.cdist(drawn.flatten(1), means.flatten(1)).argmin(1)
    assert (nearest == labels).float().mean() > 0.95
    (found,) = trainer.test(module, data, verbose=False)
    assert found["test/named"] > 0.8
    assert torch.equal(torch.cat(trainer.predict(module, data)), torch.cat(trainer.predict(module, data)))


def test_by_the_energy_distance_images_of_a_class_vary_more_than_by_class_means(tmp_path):
    """Six seeds vary 1.3 to 1.8 times as much; how much one does depends on a processor's rounding."""
    adam, labels, found = functools.partial(torch.optim.Adam, lr=3e-3, betas=(0.5, 0.99)), torch.arange(300) % 3, {}
    for matching, energy in ((200.0, 0.0), (0.0, 100.0)):
        data = Bars(batch_size=30)
        module = LitSpikingGAN(gan(), matching=matching, energy=energy, optimizer=adam)
        quiet_trainer(tmp_path, max_epochs=20, limit_val_batches=0).fit(module, data)
        drawn = module.network.sample(300, torch.Generator().manual_seed(1), labels, candidates=1)
        found[energy] = variance_ratio(drawn, labels, data.images[:300], labels, 3).item()
    assert found[100.0] > 1.1 * found[0.0], found
    assert found[100.0] > 0.8, f"real ones 1, {found}"


def test_both_schedulers_fall_once_a_batch(tmp_path):
    one_cycle = functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, cycle_momentum=False)
    module = lit(0.1, lr_scheduler=one_cycle)
    trainer = quiet_trainer(tmp_path, max_epochs=2, limit_val_batches=0)
    trainer.fit(module, Bars())
    for config in trainer.lr_scheduler_configs:
        assert config.scheduler.total_steps == 60
        assert config.scheduler.last_epoch == 60


def test_bad_input():
    with pytest.raises(InputError, match=r"Expected `loss` of \['softmax', 'relative'\], got 'hinge'"):
        lit(loss="hinge")
    with pytest.raises(InputError, match=r"of at least 0, got 0\.0, -1, 1\.0, 0\.03, 0\.0 and 1\.0"):
        lit(matching=-1)
    with pytest.raises(InputError, match=r"`advance` with the loss 'relative' alone, got 0\.5 with 'softmax'"):
        lit(advance=0.5)

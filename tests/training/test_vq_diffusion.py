"""The two stages of a SpikingVQDiffusion's training."""

import functools

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback
from torch.optim import lr_scheduler

from snn_synth.encoding import sample_keys
from snn_synth.errors import InputError
from snn_synth.models import SpikingTokenDenoiser, SpikingVQAE, SpikingVQDiffusion
from snn_synth.training import LitVQDiffusion

from .test_generators import Squares, adam
from .tiny import TinyImages, quiet_trainer


def network(hidden=32):
    torch.manual_seed(0)
    return SpikingVQDiffusion(SpikingVQAE(28, (4, 6), 4, 12), SpikingTokenDenoiser(12, 49, hidden=hidden))


class Rates(Callback):
    """Keeps the learning rates of every batch."""

    def __init__(self):
        self.rates = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])


def test_each_stage_trains_its_network_and_leaves_the_other_as_it_is(tmp_path):
    module = LitVQDiffusion(network(), autoencoder_epochs=1, optimizer=adam(1e-2))
    kept = []

    class Keep(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            kept.append({name: value.clone() for name, value in pl_module.network.state_dict().items()})

    start = {name: value.clone() for name, value in module.network.state_dict().items()}
    quiet_trainer(tmp_path, max_epochs=2, callbacks=[Keep()]).fit(module, Squares())
    for name, value in start.items():
        if name.endswith(("beta", "threshold", "graded_spikes_factor", "reset_mechanism_val")):
            continue
        first, second = (not torch.equal(a, b) for a, b in ((value, kept[0][name]), (kept[0][name], kept[1][name])))
        of_autoencoder = name.startswith("autoencoder")
        assert (first, second) == (of_autoencoder, not of_autoencoder), name


def test_the_schedule_runs_once_in_each_stage(tmp_path):
    make = functools.partial(lr_scheduler.OneCycleLR, max_lr=0.02)
    module = LitVQDiffusion(
        network(), autoencoder_epochs=1, denoiser_share=0.5, optimizer=adam(0.02), lr_scheduler=make
    )
    rates = Rates()
    quiet_trainer(tmp_path, max_epochs=3, callbacks=[rates]).fit(module, Squares(batch_size=20))
    expected = []
    for steps in (10, 20):
        alone = torch.optim.Adam([{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)], lr=0.02)
        scheduler = lr_scheduler.OneCycleLR(alone, [0.02, 0.01], total_steps=steps)
        for _ in range(steps):
            expected.append([group["lr"] for group in alone.param_groups])
            alone.step()
            scheduler.step()
    torch.testing.assert_close(torch.tensor(rates.rates), torch.tensor(expected))


def test_losses_are_those_of_the_equations(tmp_path):
    data, found = Squares(), []

    class Keep(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            found.append((trainer.callback_metrics["train/loss"].item(), batch))

    module = LitVQDiffusion(network(), autoencoder_epochs=1, condition_dropout=0.5, seed=3, optimizer=adam(0.0))
    quiet_trainer(tmp_path, max_epochs=2, limit_train_batches=1, limit_val_batches=0, callbacks=[Keep()]).fit(
        module, data
    )
    (first, batch), (second, later) = found
    vae = network().autoencoder
    out = vae(batch.images)
    moments = torch.tensor([0.5, 0.5]) * 0.99 + 0.01 * torch.tensor([batch.images.mean(), batch.images.square().mean()])
    error = (out.images - batch.images).square().mean() / (moments[1] - moments[0] ** 2)
    commitment = (out.codes - vae.codebook.vectors[out.tokens]).square().mean()
    assert first == pytest.approx((error + 0.25 * commitment).item(), rel=1e-5)
    # The denoiser starts from how often each token was taken at each place, from one of 12 on.
    frequencies = 0.99 / 12 + 0.01 * F.one_hot(out.tokens, 12).float().mean(0)
    torch.testing.assert_close(module.frequencies, frequencies)
    torch.testing.assert_close(module.network.denoiser.bias.data, frequencies.log())

    tokens = module.network.autoencoder.eval().encode(later.images)
    generator = torch.Generator().manual_seed(int(sample_keys(3, 1, later.index[:1])))
    share = torch.rand(10, generator=generator)
    hidden = torch.rand(10, 49, generator=generator) < share[:, None]
    kept = torch.rand(10, 1, generator=generator) >= 0.5
    assert 0 < kept.sum() < 10
    condition = F.one_hot(later.labels, 10).float() * kept
    lost = module.network.denoiser(tokens.masked_fill(hidden, 12), condition).log_softmax(-1)
    lost = -lost.gather(2, tokens[..., None]).squeeze(2)
    assert second == pytest.approx((2 * ((1 - share)[:, None] * lost * hidden).mean()).item(), rel=1e-5)


class Biases(Callback):
    """What the denoiser starts each batch from."""

    def __init__(self):
        self.found = {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.found[trainer.current_epoch, batch_idx] = pl_module.network.denoiser.bias.detach().clone()


def test_the_frequencies_of_tokens_are_where_the_second_stage_starts_and_no_more(tmp_path):
    module, biases = LitVQDiffusion(network(), autoencoder_epochs=1, optimizer=adam(0.1)), Biases()
    module.frequencies[:, 3] = 0.0  # a token that is never taken
    quiet_trainer(tmp_path, max_epochs=3, limit_train_batches=2, limit_val_batches=0, callbacks=[biases]).fit(
        module, Squares()
    )
    started = module.frequencies.clamp(min=1e-6).log()
    moved = {place: (bias - started).abs().max().item() for place, bias in biases.found.items()}
    assert started.min().item() == pytest.approx(torch.tensor(1e-6).log().item())
    assert moved[0, 1] > 1, "not before"
    assert moved[1, 0] == pytest.approx(0.1, rel=1e-3), "an update of Adam's first step"
    assert moved[1, 0] < moved[1, 1]
    assert moved[2, 0] > 0.15, "nor again in the next epoch"
    assert moved[2, 1] > 0.15


def test_pixels_without_variance_divide_by_no_less_than_a_bound():
    module, images = LitVQDiffusion(network(), optimizer=adam(0.0)), Squares().batch(torch.arange(8))
    module.moments.copy_(torch.tensor([0.5, 0.25]))
    images = images._replace(images=torch.full_like(images.images, 0.5))
    vae = network().autoencoder
    out = vae(images.images)
    commitment = (out.codes - vae.codebook.vectors[out.tokens]).square().mean()
    loss = module._autoencoder_loss(images, torch.Generator().manual_seed(0))
    expected = (out.images - 0.5).square().mean() / 1e-4 + 0.25 * commitment
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_what_is_measured_equals_a_plain_computation(tmp_path):
    module, data = LitVQDiffusion(network(), seed=6, optimizer=adam(0.0)), Squares(batch_size=20)
    with torch.no_grad():
        for weight in module.network.denoiser.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    trainer = quiet_trainer(tmp_path)
    (found,) = trainer.test(module, data, verbose=False)
    errors, nats = [], []
    module.eval()
    for start in (0, 20, 40):  # the last has ten images
        batch = data.batch(torch.arange(200, 250)[start : start + 20])
        generator = torch.Generator().manual_seed(int(sample_keys(6, -1, batch.index[:1])))
        with torch.no_grad():
            out = module.network.autoencoder(batch.images)
            share = torch.rand(len(batch.index), generator=generator)
            hidden = torch.rand(len(batch.index), 49, generator=generator) < share[:, None]
            condition = F.one_hot(batch.labels, 10).float()
            scores = module.network.denoiser(out.tokens.masked_fill(hidden, 12), condition)
        errors.append((out.images - batch.images).square().flatten(1).mean(1))
        nats += [F.cross_entropy(scores[place], out.tokens[place]) for place in zip(*hidden.nonzero().T, strict=True)]
    assert found["test/pixel_mse"] == pytest.approx(torch.cat(errors).mean().item(), rel=1e-4)
    assert found["test/nats"] == pytest.approx(torch.stack(nats).mean().item(), rel=1e-4)
    drawn = torch.cat(trainer.predict(module, data))
    assert drawn.shape == (50, 1, 28, 28)
    assert module.redraws, "a prediction is of the batch's images"
    assert (drawn - data.images[200:]).square().mean().item() == pytest.approx(found["test/pixel_mse"], rel=1e-4)


def test_the_progress_bar_shows_losses_and_measures(tmp_path):
    trainer = quiet_trainer(tmp_path, max_epochs=2, limit_train_batches=1, limit_val_batches=1)
    trainer.fit(LitVQDiffusion(network(), autoencoder_epochs=1), Squares())
    assert {"train/loss", "val/pixel_mse", "val/nats"} <= trainer.progress_bar_metrics.keys()


def conditions(module, monkeypatch, labels):
    """Those that the denoiser is trained on where every random number is 0."""
    seen, denoiser = [], module.network.denoiser
    monkeypatch.setattr(denoiser, "forward", lambda seen_, condition: seen.append(condition) or torch.zeros(4, 49, 12))
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.zeros(*shape))
    batch = Squares().batch(torch.arange(4))._replace(labels=torch.tensor(labels))
    module.network.autoencoder.eval()
    module._denoiser_loss(batch, torch.Generator())
    return seen[0]


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_condition_is_dropped_at_the_smallest_random_number_unless_none_is(monkeypatch, dropout):
    module = LitVQDiffusion(network(), condition_dropout=dropout)
    found = conditions(module, monkeypatch, [0, 1, 9, -1])
    expected = torch.zeros(4, 10)
    if dropout == 0:
        expected[[0, 1, 2], [0, 1, 9]] = 1
    assert torch.equal(found, expected)


def test_a_run_without_end_has_both_stages(tmp_path):
    module = LitVQDiffusion(network(), autoencoder_epochs=1, optimizer=adam(0.0))
    trainer = quiet_trainer(tmp_path, max_epochs=-1, max_steps=4, limit_train_batches=2, limit_val_batches=0)
    trainer.fit(module, Squares())
    assert (trainer.global_step, module.first_stage) == (4, False)
    fast = quiet_trainer(tmp_path, fast_dev_run=True)
    fast.fit(LitVQDiffusion(network()), Squares())
    assert fast.global_step == 1


@pytest.mark.slow
def test_it_learns_which_tokens_a_class_has(tmp_path):
    data = Squares(batch_size=20)
    module = LitVQDiffusion(network(hidden=128), autoencoder_epochs=12, optimizer=adam(1e-2))
    trainer = quiet_trainer(tmp_path, max_epochs=36)
    (before,) = trainer.validate(module, data, verbose=False)
    trainer.fit(module, data)
    (after,), (again,) = (trainer.test(module, data, verbose=False) for _ in range(2))
    assert after == again
    assert after["test/nats"] < 0.5 * before["val/nats"]
    labels = torch.arange(50) % 10
    drawn = module.network.eval().sample(50, torch.Generator().manual_seed(0), labels)
    means = torch.stack([data.images[torch.arange(250) % 10 == label].mean(0) for label in range(10)])
    nearest = torch.cdist(drawn.flatten(1), means.flatten(1)).argmin(1)
    assert (nearest == labels).float().mean() > 0.8


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_both_stages_run_in_other_precisions(tmp_path, precision):
    module = LitVQDiffusion(network(), autoencoder_epochs=1, optimizer=adam(1e-3))
    trainer = quiet_trainer(tmp_path, max_epochs=2, limit_train_batches=2, limit_val_batches=1, precision=precision)
    trainer.fit(module, Squares(dtype=torch.float64 if precision == "64-true" else torch.float32))
    assert trainer.callback_metrics["val/nats"].isfinite()
    assert module.network.autoencoder.codebook.vectors.isfinite().all()


def test_the_schedule_turns_with_the_stage_where_max_steps_ends_the_run(tmp_path):
    make = functools.partial(lr_scheduler.OneCycleLR, max_lr=0.02)
    module = LitVQDiffusion(network(), autoencoder_epochs=1, optimizer=adam(0.02), lr_scheduler=make)
    rates = Rates()
    quiet_trainer(tmp_path, max_epochs=9, max_steps=15, callbacks=[rates]).fit(module, Squares(batch_size=20))
    first = [both[0] for both in rates.rates]
    assert first[9] < 1e-4 < first[10] < first[11], "it ends with the first epoch of ten batches, and rises again"


def test_refuses_more_classes_than_the_denoiser_has(tmp_path):
    small = SpikingVQDiffusion(SpikingVQAE(28, (4, 6), 4, 12), SpikingTokenDenoiser(12, 49, conditions=3, hidden=8))
    with pytest.raises(InputError, match="labels below the 3 `conditions` of the denoiser, got 9"):
        quiet_trainer(tmp_path, max_epochs=2).fit(LitVQDiffusion(small, autoencoder_epochs=1), Squares(batch_size=50))


def test_refuses_the_first_class_that_the_denoiser_has_not(tmp_path):
    small = SpikingVQDiffusion(SpikingVQAE(28, (4, 6), 4, 12), SpikingTokenDenoiser(12, 49, conditions=3, hidden=8))
    module, batch = LitVQDiffusion(small), Squares().batch(torch.arange(4))
    expected = torch.tensor([[0.0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0]])
    assert torch.equal(module._condition(batch._replace(labels=torch.tensor([2, -1, 0, 1]))), expected)
    with pytest.raises(InputError, match="labels below the 3 `conditions` of the denoiser, got 3"):
        module._condition(batch._replace(labels=torch.tensor([2, -1, 0, 3])))


def test_images_without_labels_train_it_without_a_condition():
    module = LitVQDiffusion(network(), autoencoder_epochs=1)
    batch = next(iter(Squares().train_dataloader()))
    assert not module._condition(batch._replace(labels=torch.full((10,), -1))).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"autoencoder_epochs": 0}, "autoencoder_epochs of at least 1"),
        ({"denoiser_share": 0.0}, "a denoiser_share above 0"),
        ({"denoiser_share": float("inf")}, "a denoiser_share above 0.*, got 4, inf and 0.1"),
        ({"condition_dropout": 1.5}, r"a condition_dropout in \[0, 1\]"),
    ],
)
def test_refuses_settings_out_of_range(settings, message):
    with pytest.raises(InputError, match=message):
        LitVQDiffusion(network(), **settings)


def test_refuses_a_run_that_ends_within_the_first_stage(tmp_path):
    for epochs in (0, 1, 4):
        with pytest.raises(InputError, match=f"`max_epochs` above the 4 `autoencoder_epochs`.* got {epochs}"):
            quiet_trainer(tmp_path, max_epochs=epochs).fit(LitVQDiffusion(network()), Squares())


def test_refuses_images_of_another_size(tmp_path):
    with pytest.raises(InputError, match="28"):
        quiet_trainer(tmp_path, max_epochs=5).fit(LitVQDiffusion(network()), TinyImages())

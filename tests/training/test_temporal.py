import functools

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback

from snn_synth.encoding import sample_keys, spike_times
from snn_synth.errors import InputError
from snn_synth.functional import silent_penalty, timing_loss
from snn_synth.models import TemporalCodingAE
from snn_synth.training import LitTemporalCodingAE
from snn_synth.training.temporal import noisy

from .tiny import TinyImages, quiet_trainer


def module(**settings):
    torch.manual_seed(1)
    network = TemporalCodingAE(12, 5, latency=1.5, n_pulses=3, init_mean=2.0, init_pulse_mean=2.0)
    adam = functools.partial(torch.optim.Adam, lr=1e-2, eps=1e-4)
    return LitTemporalCodingAE(network, optimizer=adam, **settings)


def test_what_is_learned_is_the_timing_and_the_penalty(tmp_path):
    lit, data = module(penalty=0.7), TinyImages()
    with torch.no_grad():
        lit.network.decoder.weight[:4] = -1  # silent outputs
    batch = next(iter(data.train_dataloader()))
    flat = batch.images.flatten(1)
    out = lit.network(spike_times(flat))
    assert out.times.isinf().float().mean() == pytest.approx(4 / 12)
    expected = timing_loss(out.times, 1.5 + 1 - flat) + 0.7 * silent_penalty(out.times, lit.network.decoder.weight)
    expected += 0.7 * silent_penalty(out.embedding, lit.network.encoder.weight)
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1)
    trainer.fit(lit, data)
    assert trainer.callback_metrics["train/loss"].item() == pytest.approx(expected.item(), rel=1e-5)


class FirstPulses(Callback):
    """When the first pulse of each layer fires, as callbacks find it after each batch."""

    def __init__(self):
        self.found = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        layers = pl_module.network.encoder, pl_module.network.decoder
        self.found.append([layer.pulse_times.min().item() for layer in layers])


def test_no_pulse_comes_before_the_time_0(tmp_path):
    lit, pulses = module(), FirstPulses()
    lit.optimizer = functools.partial(torch.optim.Adam, lr=1e-2, maximize=True)  # which pulls it earlier
    with torch.no_grad():
        lit.network.encoder.pulse_times[0] = lit.network.decoder.pulse_times[0] = 1e-3
    quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=2, callbacks=[pulses]).fit(lit, TinyImages())
    assert pulses.found == [[0, 0], [0, 0]]


def test_pulses_have_a_share_of_the_rate():
    network = TemporalCodingAE(6, 4)
    adam = functools.partial(torch.optim.Adam, lr=1e-3)
    optimizer = LitTemporalCodingAE(network, pulse_share=5, optimizer=adam).configure_optimizers()
    rates = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates == {p: 5e-3 if name.endswith("pulse_times") else 1e-3 for name, p in network.named_parameters()}


def test_the_error_falls(tmp_path):
    lit = module()
    trainer = quiet_trainer(tmp_path, max_epochs=40)
    before = trainer.validate(lit, TinyImages(), verbose=False)[0]["val/pixel_mse"]
    trainer.fit(lit, TinyImages())
    assert trainer.callback_metrics["val/pixel_mse"] < 0.7 * before


def test_metrics_equal_a_plain_computation_over_the_whole_set(tmp_path):
    lit, data = module(noise=0.2), TinyImages()
    with torch.no_grad():
        lit.network.decoder.weight[:4] = -1
    found = quiet_trainer(tmp_path).test(lit, data, verbose=False)[0]
    batch = data.batch(data.test_index)
    flat = batch.images.flatten(1)
    out = lit.network(noisy(spike_times(flat), 0.2, sample_keys(0, batch.index)))
    late = torch.where(out.times.isfinite(), out.times - 1.5, 1)
    drawn = np.clip(1 - torch.where(out.times.isfinite(), out.times - 1.5, 1).detach().numpy(), 0, 1)
    assert found["test/pixel_mse"] == pytest.approx(np.mean((drawn - flat.numpy()) ** 2), rel=1e-5)
    assert found["test/timing"] == pytest.approx((late - (1 - flat)).square().mean().item(), rel=1e-5)
    assert found["test/silent_output"] == pytest.approx(4 / 12)
    assert found["test/silent_hidden"] == 0


def test_silent_neurons_are_counted_in_each_sample(tmp_path):
    """Of 25 samples in batches of 10, some silence neurons of both layers, and others do not."""
    lit, data = module(), TinyImages()
    with torch.no_grad():
        for layer in (lit.network.encoder, lit.network.decoder):
            layer.weight.copy_(0.1 + torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(0)))
    trainer = quiet_trainer(tmp_path)
    found = trainer.test(lit, data, verbose=False)[0]
    batch = data.batch(data.test_index)
    with torch.no_grad():
        out = lit.network(spike_times(batch.images.flatten(1)))
    for name, times in (("hidden", out.embedding), ("output", out.times)):
        silent = [sum(time == torch.inf for time in sample) / len(sample) for sample in times.tolist()]
        batches = [sum(silent[start : start + 10]) / len(silent[start : start + 10]) for start in (0, 10, 20)]
        assert abs(sum(batches) / 3 - sum(silent) / 25) > 1e-3, "or it would not matter what is averaged"
        assert found[f"test/silent_{name}"] == pytest.approx(sum(silent) / 25)
    drawn = torch.cat(trainer.predict(lit, data))
    assert drawn.shape == batch.images.shape
    assert lit.redraws, "a prediction is of the batch's images"
    expected = (1 - torch.where(out.times.isfinite(), out.times - 1.5, 1)).clamp(0, 1)
    torch.testing.assert_close(drawn.flatten(1), expected)


def test_the_progress_bar_shows_what_counts(tmp_path):
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(module(), TinyImages())
    assert {"train/loss", "val/pixel_mse"} <= trainer.progress_bar_metrics.keys()
    assert "val/timing" not in trainer.progress_bar_metrics


def test_noise_is_made_of_the_bits_of_the_keys():
    """Box and Muller's normal numbers, of 31 bits each, by NumPy."""
    keys = sample_keys(3, torch.arange(4))
    times = torch.full((4, 6), 0.4, dtype=torch.float64)
    hashed = sample_keys(keys[:, None], torch.arange(6)).numpy()
    first, second = ((bits.astype(np.float64) + 0.5) / 2**31 for bits in (hashed // 2**32, hashed % 2**31))
    expected = 0.4 + 0.1 * (1 + np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second))
    np.testing.assert_allclose(noisy(times, 0.1, keys).numpy(), expected, rtol=0, atol=1e-13)


def test_a_pixel_as_late_as_the_span_is_silent():
    moved = noisy(torch.tensor([[1.0, 0.999]]), 0.0, sample_keys(0, torch.arange(1)))
    assert moved[0, 0].isinf()
    assert moved[0, 1].isfinite()


def test_noise_is_normal_with_mean_and_deviation_of_its_factor():
    times = torch.full((200, 500), 0.3, dtype=torch.float64)
    moved = noisy(times, 0.05, sample_keys(0, torch.arange(200)))
    added = (moved - 0.3) / 0.05
    assert added.mean().item() == pytest.approx(1, abs=0.02)
    assert added.std().item() == pytest.approx(1, abs=0.02)
    inside = ((added - 1).abs() < 1).double().mean().item()
    assert inside == pytest.approx(0.6827, abs=0.005)


def test_noise_belongs_to_the_sample_and_ends_at_the_span():
    times = spike_times(torch.rand(4, 50, generator=torch.Generator().manual_seed(0)))
    times[:, :10] = torch.inf
    keys = sample_keys(0, torch.arange(4))
    moved = noisy(times, 0.5, keys)
    torch.testing.assert_close(noisy(times[2:3], 0.5, keys[2:3]), moved[2:3], rtol=0, atol=0)
    assert ((moved < 1) | moved.isinf()).all()
    assert (moved >= 0).all()
    assert 0 < moved[:, :10].isfinite().float().mean() < 0.5, "some silent inputs fire"
    torch.testing.assert_close(noisy(times, 0.0, keys), times)


@pytest.mark.parametrize("name", ["penalty", "noise"])
def test_bad_settings(name):
    with pytest.raises(InputError, match=f"Expected `{name}` to be at least 0, got -1"):
        module(**{name: -1.0})


def test_pulses_that_do_not_learn_are_refused():
    with pytest.raises(InputError, match="Expected `pulse_share` above 0, got 0"):
        module(pulse_share=0)

"""When a scheduler steps, by both rules and in a GAN."""

import functools
import math
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import ReduceLROnPlateau
from torch.optim import lr_scheduler

from snn_synth.errors import InputError
from snn_synth.models import SpikingGAN, TemporalCodingAE
from snn_synth.training import LitAutoencoder, LitSpikingGAN, LitTemporalCodingAE, ResumeCheckpoint
from snn_synth.training.schedulers import build_scheduler
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer

RULES = ("bptt", "online")


def test_a_gan_counts_batches_too_and_steps_both_its_schedulers(tmp_path):
    module = LitSpikingGAN(
        SpikingGAN(3, 4, 8, 10, num_steps=16, smoothing=16.0),
        lr_scheduler=functools.partial(lr_scheduler.OneCycleLR, max_lr=0.5),
    )
    saved = ModelCheckpoint(tmp_path, every_n_train_steps=3, save_top_k=-1, filename="{step}")
    trainer = quiet_trainer(tmp_path, max_epochs=-1, max_steps=7, callbacks=[saved])
    trainer.fit(module, TinyImages())
    assert trainer.global_step == trainer.fit_loop.total_batch_idx + 1 == 7
    assert [one.scheduler.last_epoch for one in trainer.lr_scheduler_configs] == [7, 7]
    assert [one.scheduler.total_steps for one in trainer.lr_scheduler_configs] == [7, 7]
    assert {path.stem for path in tmp_path.glob("*.ckpt")} == {"step=3", "step=6"}


def test_classes_of_a_users_own_set_the_interval(tmp_path):
    class Yearly(LitTemporalCodingAE):
        lr_interval = "epoch"

    module = Yearly(TemporalCodingAE(12, 5), lr_scheduler=functools.partial(lr_scheduler.StepLR, step_size=1))
    trainer = quiet_trainer(tmp_path, max_epochs=2)
    trainer.fit(module, TinyImages())
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-3 * 0.1**2)


@pytest.mark.parametrize(("frequency", "halvings"), [(2, 2), (3, 1), (4, 1)])
@pytest.mark.parametrize("rule", RULES)
def test_the_scheduler_of_a_users_own_configure_optimizers_is_obeyed(tmp_path, rule, frequency, halvings):
    class Mine(LitAutoencoder):
        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.network.parameters(), lr=1.0)
            halved = lr_scheduler.ExponentialLR(optimizer, 0.5)
            return [optimizer], [{"scheduler": halved, "interval": "step", "frequency": frequency}]

    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(Mine(firing_autoencoder(12, 5), rule=rule, num_steps=4), TinyImages())
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.5**halvings  # in 5 batches


class Rates(Callback):
    """The learning rate of each epoch."""

    def __init__(self):
        self.rates = []

    def on_train_epoch_start(self, trainer, pl_module):
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


@pytest.mark.parametrize("plateau", [True, False])
@pytest.mark.parametrize("rule", RULES)
def test_so_is_one_that_steps_every_third_epoch(tmp_path, rule, plateau):
    class Mine(LitAutoencoder):
        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.network.parameters(), lr=1.0)
            if plateau:  # PyTorch's own, or under manual optimization, where Lightning forgets it, one that says it
                named = {} if rule == "bptt" else {"monitor": "val/standardized_mse"}
                kind = lr_scheduler.ReduceLROnPlateau if rule == "bptt" else ReduceLROnPlateau
                halved = kind(optimizer, **named, factor=0.5, patience=0, threshold=100.0)
            else:
                halved = lr_scheduler.ExponentialLR(optimizer, 0.5)
            how = {"interval": "epoch", "frequency": 3, "monitor": "val/standardized_mse"}
            return [optimizer], [{"scheduler": halved} | how]

    rates = Rates()
    trainer = quiet_trainer(tmp_path, max_epochs=8, limit_train_batches=1, limit_val_batches=1, callbacks=[rates])
    trainer.fit(Mine(firing_autoencoder(12, 5), rule=rule, num_steps=2), TinyImages())
    assert rates.rates == [1.0] * 3 + [0.5] * 3 + [0.25] * 2


def test_a_plateau_waits_for_the_end_of_an_epoch(tmp_path):
    make = functools.partial(ReduceLROnPlateau, monitor="train/loss", patience=0, factor=0.5, threshold=100.0)
    module = LitAutoencoder(firing_autoencoder(12, 5), num_steps=4, lr_scheduler=make)
    trainer = quiet_trainer(tmp_path, max_epochs=9, max_steps=13, limit_val_batches=0)  # 2 epochs and 3 batches
    trainer.fit(module, TinyImages())
    assert trainer.lr_scheduler_configs[0].scheduler.last_epoch == 2


@pytest.mark.parametrize("rule", RULES)
def test_plateaus_and_epochs_resume_bit_for_bit(tmp_path, rule):
    """The learning rate of the next epoch is in the checkpoint that is made at the end of this one."""

    def fit(folder, epochs, plateau, **options):
        make = (
            functools.partial(
                ReduceLROnPlateau, monitor="val/standardized_mse", patience=0, factor=0.5, threshold=100.0
            )
            if plateau
            else functools.partial(lr_scheduler.StepLR, step_size=1, gamma=0.5)
        )
        module = LitAutoencoder(
            firing_autoencoder(12, 5), rule=rule, num_steps=4, lr_scheduler=make, lr_interval="epoch"
        )
        trainer = quiet_trainer(folder, max_epochs=epochs, callbacks=[ResumeCheckpoint(every_n_batches=2)])
        trainer.fit(module, TinyImages(), **options)
        return module.state_dict(), trainer.optimizers[0].param_groups[0]["lr"]

    for plateau in (True, False):
        whole, rate = fit(tmp_path / f"whole{plateau}", 4, plateau)
        fit(tmp_path / f"parts{plateau}", 2, plateau)
        resumed, again = fit(
            tmp_path / f"parts{plateau}", 4, plateau, ckpt_path=tmp_path / f"parts{plateau}" / "resume.ckpt"
        )
        assert rate == again == pytest.approx(1e-3 * 0.5**4)
        assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_a_plateau_goes_on_when_its_monitor_has_its_present_name(tmp_path):
    def fit(folder, epochs, monitor, **options):
        make = functools.partial(ReduceLROnPlateau, monitor=monitor, patience=0, factor=0.5, threshold=100.0)
        module = LitAutoencoder(firing_autoencoder(12, 5), num_steps=4, lr_scheduler=make)
        trainer = quiet_trainer(folder, max_epochs=epochs, callbacks=[ResumeCheckpoint()])
        trainer.fit(module, TinyImages(), **options)
        return trainer.optimizers[0].param_groups[0]["lr"]

    assert fit(tmp_path, 2, "val/mse") == pytest.approx(1e-3 * 0.5**2)
    rate = fit(tmp_path, 4, "val/standardized_mse", ckpt_path=tmp_path / "resume.ckpt")
    assert rate == pytest.approx(1e-3 * 0.5**4)
    with pytest.raises(InputError, match="got changed ones"):
        fit(tmp_path, 5, "val/spike_mse", ckpt_path=tmp_path / "resume.ckpt")


def test_a_metric_that_is_missing_at_the_end_of_an_epoch(tmp_path):
    plateau = functools.partial(ReduceLROnPlateau, monitor="val/standardized_mse")
    module = LitAutoencoder(firing_autoencoder(12, 5), num_steps=4, lr_scheduler=plateau)
    with pytest.raises(
        InputError, match=r"Expected a metric that is logged in each epoch .*train/loss.*got 'val/standardized_mse'"
    ):
        quiet_trainer(tmp_path, max_epochs=2, limit_val_batches=0).fit(module, TinyImages())


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (functools.partial(lr_scheduler.StepLR, step_size=0), "step_size"),
        (functools.partial(lr_scheduler.CosineAnnealingLR, T_max=0), "T_max"),
        (functools.partial(lr_scheduler.CyclicLR, base_lr=0.1, max_lr=0.2, step_size_up=0), "step_size_up"),
        (functools.partial(lr_scheduler.OneCycleLR, max_lr=0.1, div_factor=0), "div_factor"),
        (functools.partial(lr_scheduler.OneCycleLR, max_lr=0.1, final_div_factor=0), "final_div_factor"),
    ],
)
def test_schedulers_that_would_divide_by_0(make, named, tmp_path):
    module = LitAutoencoder(firing_autoencoder(12, 5), num_steps=4, lr_scheduler=make)
    wanted = "above 0" if named.endswith("factor") else "of at least 1"
    with pytest.raises(InputError, match=f"Expected `{named}` of {make.func.__name__} {wanted}, got 0"):
        quiet_trainer(tmp_path, max_epochs=1).fit(module, TinyImages())


def test_a_warm_up_of_one_step_starts_at_the_peak(tmp_path):
    """PyTorch would divide by the 0 steps before it."""
    seen = []

    class Watched(LitTemporalCodingAE):
        def on_train_batch_start(self, *_):
            seen.append(self.optimizers().param_groups[0]["lr"])

    one_cycle = functools.partial(lr_scheduler.OneCycleLR, max_lr=0.1, pct_start=0.1, anneal_strategy="linear")
    module = Watched(TemporalCodingAE(12, 5), lr_scheduler=one_cycle)
    quiet_trainer(tmp_path, max_epochs=-1, max_steps=10).fit(module, TinyImages())
    least = 0.1 / 25 / 1e4
    assert seen == pytest.approx([0.1 + (least - 0.1) * i / 9 for i in range(10)], rel=0.01)


def adam(*shares):
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))]} | ({"share": share} if share else {}) for share in shares
    ]
    return torch.optim.Adam(groups or [torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def run_of(steps, batches=10, accumulated=1):
    """A trainer, as far as a scheduler asks for it."""
    return SimpleNamespace(
        estimated_stepping_batches=steps, num_training_batches=batches, accumulate_grad_batches=accumulated
    )


ONE_CYCLE = functools.partial(lr_scheduler.OneCycleLR, max_lr=0.1)


@pytest.mark.parametrize(("steps", "length"), [(0, 1), (1, 1), (2, 2), (7.0, 7)])
def test_a_schedule_has_at_least_one_step(steps, length):
    made = build_scheduler(ONE_CYCLE, adam(), "epoch", run_of(steps))
    assert made["scheduler"].total_steps == length
    assert made["interval"] == "step"


def test_total_steps_may_be_those_of_the_run_or_more_and_a_run_without_end_has_none():
    for steps, given in ((12, 12), (12, 20), (math.inf, 12)):
        made = build_scheduler(functools.partial(ONE_CYCLE, total_steps=given), adam(), "step", run_of(steps))
        assert made["scheduler"].total_steps == given
    with pytest.raises(InputError, match="`total_steps` of at least the 12 batches of this run, got 11: leave it out"):
        build_scheduler(functools.partial(ONE_CYCLE, total_steps=11), adam(), "step", run_of(12))
    with pytest.raises(
        InputError, match="`max_steps` or the `total_steps` of OneCycleLR, which needs an end, got none"
    ):
        build_scheduler(ONE_CYCLE, adam(), "step", run_of(math.inf))


@pytest.mark.parametrize(
    ("steps", "accumulated", "lengths"),
    [
        (25, 1, [20, 5]),  # two epochs of ten batches, and half of one
        (21, 1, [20, 1]),
        (20, 1, [20]),
        (7, 1, [7]),
        (12, 3, [8, 4]),  # an epoch of ten batches has four steps
        (12, 4, [6, 6]),
    ],
)
def test_two_stages_share_the_steps_of_a_run(steps, accumulated, lengths):
    made = build_scheduler(ONE_CYCLE, adam(), "step", run_of(steps, 10, accumulated), first_epochs=2)["scheduler"]
    found = [one.total_steps for one in getattr(made, "_schedulers", [made])]
    assert found == lengths
    if len(lengths) == 2:
        assert made._milestones == lengths[:1]


def test_a_given_length_is_that_of_both_stages_together():
    make = functools.partial(ONE_CYCLE, total_steps=40)
    assert build_scheduler(make, adam(), "step", run_of(30), first_epochs=1)["scheduler"].total_steps == 40


def test_one_stage_of_a_run_without_end_needs_no_number_of_batches():
    make = functools.partial(ONE_CYCLE, total_steps=40)
    made = build_scheduler(make, adam(), "step", run_of(math.inf, math.inf))
    assert made["scheduler"].total_steps == 40


def test_groups_have_their_share_of_the_highest_rate():
    optimizer = adam(None, 0.5, 3.0)
    build_scheduler(ONE_CYCLE, optimizer, "step", run_of(10))
    assert [group["max_lr"] for group in optimizer.param_groups] == pytest.approx([0.1, 0.05, 0.3])


def test_numbers_of_a_scheduler_are_looked_at():
    with pytest.raises(InputError, match=r"Expected `lr_scheduler.max_lr` to be finite and at least 0, got -0.1"):
        build_scheduler(functools.partial(lr_scheduler.OneCycleLR, max_lr=-0.1), adam(), "step", run_of(10))

"""Every row of the tables in docs/lightning.md, by both rules: what works has its effect, the rest never starts."""

import functools
import math
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import (
    BackboneFinetuning,
    BatchSizeFinder,
    DeviceStatsMonitor,
    EarlyStopping,
    EMAWeightAveraging,
    GradientAccumulationScheduler,
    LambdaCallback,
    LearningRateFinder,
    LearningRateMonitor,
    ModelCheckpoint,
    ModelPruning,
    ModelSummary,
    OnExceptionCheckpoint,
    RichModelSummary,
    RichProgressBar,
    SpikeDetection,
    StochasticWeightAveraging,
    ThroughputMonitor,
    Timer,
    TQDMProgressBar,
)
from lightning.pytorch.cli import ReduceLROnPlateau
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.logger import DummyLogger
from lightning.pytorch.plugins.io import AsyncCheckpointIO
from lightning.pytorch.profilers import SimpleProfiler
from torch.optim import lr_scheduler

from snn_synth.cli.errors import sentence
from snn_synth.training import LitAutoencoder
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer

DOCS = Path(__file__).parents[2] / "docs" / "lightning.md"
RULES = ("bptt", "online")
EPOCHS, BATCHES, VALIDATIONS = 2, 5, 3  # of TinyImages, if no flag says otherwise


def rows():
    """(row, rule, what the docs say) of each cell."""
    for line in DOCS.read_text().splitlines():
        if line.startswith("| `"):
            name, *says = [cell.strip() for cell in line.strip("|").split("|")]
            yield from ((name.strip("`"), rule, said) for rule, said in zip(RULES, says[:2], strict=True))


CHECKS = {}


def row(name):
    def keep(check):
        assert name not in CHECKS
        CHECKS[name] = check
        return check

    return keep


class Diary(Callback):
    """What happened."""

    def __init__(self):
        self.started = False
        self.train, self.val, self.test, self.norms, self.saved = [], [], [], [], []

    def on_train_start(self, trainer, pl_module):
        self.started = True

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.train.append((trainer.current_epoch, tuple(batch.index.tolist())))

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        gradients = [weight.grad for weight in pl_module.network.parameters() if weight.grad is not None]
        self.norms.append(torch.cat([g.flatten() for g in gradients]).norm().item())

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        loop = trainer.fit_loop.epoch_loop
        self.val.append("sanity" if trainer.sanity_checking else (trainer.current_epoch, loop.batch_idx))

    def on_test_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.test.append((batch.images.dtype, torch.is_inference_mode_enabled()))


class Run:
    """A fit of TinyImages by one rule, each with a diary of its own."""

    def __init__(self, rule, folder):
        self.rule, self.folder, self.diary, self.lit = rule, folder, Diary(), {}

    def __call__(self, *callbacks, test=False, **flags):
        self.diary = Diary()
        optimizer = self.lit.pop("optimizer", functools.partial(torch.optim.AdamW, lr=0.01))
        self.module = LitAutoencoder(
            firing_autoencoder(12, 5), rule=self.rule, num_steps=4, optimizer=optimizer, **self.lit
        )
        settings = {"max_epochs": EPOCHS, "callbacks": [*callbacks, self.diary]} | flags
        self.trainer = quiet_trainer(self.folder, **settings)
        self.trainer.fit(self.module, TinyImages())
        if test:
            self.trainer.test(self.module, TinyImages(), verbose=False)
        return self.diary

    @property
    def rate(self):
        return self.trainer.optimizers[0].param_groups[0]["lr"]


@pytest.fixture
def run(request, tmp_path):
    return Run(request.param, tmp_path)


def test_the_docs_and_these_checks_have_the_same_rows():
    assert {name for name, _, _ in rows()} == set(CHECKS)
    assert {said for _, _, said in rows()} == {"works", "refused"}


@pytest.mark.parametrize(("name", "run", "says"), list(rows()), indirect=["run"])
def test_a_row_of_the_docs(name, run, says, tmp_path, recwarn):
    if says == "works":
        CHECKS[name](run)
        return
    with pytest.raises(Exception, match=r".") as refusal:
        CHECKS[name](run)
    said = sentence(refusal.value)
    assert said, f"a traceback on the command line: {refusal.value!r}"
    assert "\n" not in said
    assert not run.diary.started
    assert not list(tmp_path.iterdir())


# How long


@row("max_epochs")
def _(run):
    assert len(run(max_epochs=3).train) == 3 * BATCHES


@row("min_epochs")
def _(run):
    stop = EarlyStopping("val/standardized_mse", mode="max", min_delta=9)
    stop.patience = 0
    assert len(run(stop, max_epochs=4, min_epochs=3).train) == 3 * BATCHES


@row("max_steps")
def _(run):
    run.lit = {"lr_scheduler": functools.partial(lr_scheduler.OneCycleLR, max_lr=0.5)}
    assert len(run(max_epochs=-1, max_steps=7).train) == run.trainer.global_step == 7
    scheduler = run.trainer.lr_scheduler_configs[0].scheduler
    assert scheduler.total_steps == scheduler.last_epoch == 7


@row("min_steps")
def _(run):
    stop = LambdaCallback(on_train_batch_end=lambda trainer, *_: setattr(trainer, "should_stop", True))
    assert len(run(stop, min_steps=7, limit_val_batches=0).train) == 7  # and at least an epoch


@row("max_time")
def _(run):
    wait = LambdaCallback(on_train_batch_end=lambda *_: time.sleep(0.02))
    assert 0 < len(run(wait, max_epochs=-1, max_time=timedelta(seconds=0.1), limit_val_batches=0).train) < 20


@row("fast_dev_run")
def _(run):
    diary = run(fast_dev_run=2)
    assert (len(diary.train), len(diary.val)) == (2, 2)


@row("overfit_batches")
def _(run):
    first, second = [[batch for epoch, batch in run(overfit_batches=2).train if epoch == e] for e in range(2)]
    assert first == second == [tuple(range(10)), tuple(range(10, 20))]


# Which data


@row("limit_train_batches")
def _(run):
    assert len(run(limit_train_batches=0.4).train) == EPOCHS * 2


@row("limit_val_batches")
def _(run):
    assert len(run(limit_val_batches=1).val) == EPOCHS


@row("limit_test_batches")
def _(run):
    assert len(run(limit_test_batches=2, test=True).test) == 2


@row("limit_predict_batches")
def _(run):
    run(limit_predict_batches=2)
    assert len(torch.cat(run.trainer.predict(run.module, TinyImages()))) == 20


@row("val_check_interval")
def _(run):
    assert run(val_check_interval=2).val == [(e, b) for e in range(2) for b in (1, 3) for _ in range(VALIDATIONS)]


@row("check_val_every_n_epoch")
def _(run):
    assert {epoch for epoch, _ in run(max_epochs=4, check_val_every_n_epoch=2).val} == {1, 3}


@row("num_sanity_val_steps")
def _(run):
    assert run(num_sanity_val_steps=2).val.count("sanity") == 2


@row("reload_dataloaders_every_n_epochs")
def _(run):
    once = run().train
    assert run(reload_dataloaders_every_n_epochs=1).train == once


@row("use_distributed_sampler")
def _(run):
    once = run().train
    assert run(use_distributed_sampler=False).train == once


# How it learns


@row("accumulate_grad_batches")
def _(run):
    assert len(run(accumulate_grad_batches=2).norms) == run.trainer.global_step == EPOCHS * 3


@row("gradient_clip_val")
def _(run):
    assert max(run().norms) > 0.01
    clipped = Clipped()
    run(clipped, gradient_clip_val=0.01)
    assert [gradient.norm().item() for gradient in clipped.gradients] == pytest.approx([0.01] * 8, rel=1e-3)


class Clipped(Callback):
    """The gradients of each update but the last of an epoch, as they were used: they lie there until the next one."""

    def __init__(self):
        self.gradients = []

    def on_before_zero_grad(self, trainer, pl_module, optimizer):
        weights = list(pl_module.network.parameters())
        if weights[0].grad is not None:
            self.gradients.append(torch.cat([weight.grad.flatten() for weight in weights]))


@row("gradient_clip_algorithm")
def _(run):
    clipped = Clipped()
    run(clipped, gradient_clip_val=1e-3, gradient_clip_algorithm="value")
    largest = [gradient.abs().max().item() for gradient in clipped.gradients]
    assert largest == pytest.approx([1e-3] * 8, rel=1e-3)


@row("lr_scheduler: a step for each batch")
def _(run):
    run.lit = {"lr_scheduler": functools.partial(lr_scheduler.ExponentialLR, gamma=0.5)}
    run(max_epochs=1)
    assert run.rate == pytest.approx(0.01 * 0.5**BATCHES)


@row("lr_scheduler: OneCycleLR")
def _(run):
    run.lit = {"lr_scheduler": functools.partial(lr_scheduler.OneCycleLR, max_lr=0.5), "lr_interval": "epoch"}
    run()
    scheduler = run.trainer.lr_scheduler_configs[0].scheduler
    assert scheduler.total_steps == scheduler.last_epoch == EPOCHS * BATCHES


@row("lr_scheduler: OneCycleLR in a run without end")
def _(run):
    run.lit = {"lr_scheduler": functools.partial(lr_scheduler.OneCycleLR, max_lr=0.5)}
    run(max_epochs=-1)


@row("lr_interval: epoch")
def _(run):
    run.lit = {"lr_scheduler": functools.partial(lr_scheduler.StepLR, step_size=1), "lr_interval": "epoch"}
    rates = []
    run(LambdaCallback(on_train_batch_start=lambda *_: rates.append(run.rate)), max_epochs=3)
    assert rates == pytest.approx([0.01] * 5 + [0.001] * 5 + [0.0001] * 5)


@row("lr_scheduler: ReduceLROnPlateau")
def _(run):
    worse = {"mode": "min", "patience": 0, "factor": 0.5, "threshold": 100.0}  # nothing is ever better by so much
    run.lit = {"lr_scheduler": functools.partial(ReduceLROnPlateau, monitor="val/standardized_mse", **worse)}
    run(max_epochs=3)
    assert run.rate == pytest.approx(0.01 * 0.5**3)


@row("lr_scheduler: ReduceLROnPlateau of PyTorch")
def _(run):
    run.lit = {"lr_scheduler": lr_scheduler.ReduceLROnPlateau}
    run()


@row("optimizer: LBFGS")
def _(run):
    run.lit = {"optimizer": functools.partial(torch.optim.LBFGS, lr=0.1, max_iter=3)}
    start = [weight.clone() for weight in firing_autoencoder(12, 5).parameters()]
    run(max_epochs=1)
    assert not any(torch.equal(a, b) for a, b in zip(start, run.module.network.parameters(), strict=True))


# Precision


def trains_in(run, precision, weights, images):
    diary = run(precision=precision, test=True)
    assert {dtype for dtype, _ in diary.test} == {images}
    assert {weight.dtype for weight in run.module.network.parameters()} == {weights}
    moved = [(a - b).norm().item() for a, b in zip(*both(run), strict=True)]
    assert all(math.isfinite(size) and size > 0 for size in moved)


def both(run):
    return [weight.double() for weight in firing_autoencoder(12, 5).parameters()], [
        weight.detach().double() for weight in run.module.network.parameters()
    ]


@row("precision: 32-true")
def _(run):
    trains_in(run, "32-true", torch.float32, torch.float32)


@row("precision: 64-true")
def _(run):
    trains_in(run, "64-true", torch.float64, torch.float64)


@row("precision: 16-mixed")
def _(run):
    trains_in(run, "16-mixed", torch.float32, torch.float32)
    assert run.trainer.precision == "bf16-mixed"


@row("precision: bf16-mixed")
def _(run):
    trains_in(run, "bf16-mixed", torch.float32, torch.float32)


@row("precision: bf16-true")
def _(run):
    trains_in(run, "bf16-true", torch.bfloat16, torch.bfloat16)


@row("precision: 16-true")
def _(run):
    trains_in(run, "16-true", torch.float16, torch.float16)


@row("precision: transformer-engine")
def _(run):
    run(precision="transformer-engine")


@row("precision: 16-mixed with gradient_clip_val and a fused optimizer")
def _(run):
    run.lit = {"optimizer": functools.partial(torch.optim.AdamW, lr=0.01, fused=True)}
    clipped = Clipped()
    run(clipped, precision="16-mixed", gradient_clip_val=0.01)
    assert [gradient.norm().item() for gradient in clipped.gradients] == pytest.approx([0.01] * 8, rel=1e-3)


# Where, and how it is looked at


@row("strategy: fsdp")
def _(run):
    run(strategy="fsdp")


@row("deterministic")
def _(run):
    seen = []
    watch = LambdaCallback(on_train_start=lambda *_: seen.append(torch.are_deterministic_algorithms_enabled()))
    try:
        run(watch, deterministic=True)
    finally:
        torch.use_deterministic_algorithms(False)
    assert seen == [True]


@row("benchmark")
def _(run):
    before = torch.backends.cudnn.benchmark
    try:
        run(benchmark=not before, max_epochs=1)
        assert torch.backends.cudnn.benchmark == (not before)
    finally:
        torch.backends.cudnn.benchmark = before


@row("inference_mode")
def _(run):
    assert [{mode for _, mode in run(inference_mode=mode, test=True).test} for mode in (True, False)] == [
        {True},
        {False},
    ]


@row("detect_anomaly")
def _(run):
    seen = []
    run(LambdaCallback(on_train_batch_start=lambda *_: seen.append(torch.is_anomaly_enabled())), detect_anomaly=True)
    assert set(seen) == {True}
    assert not torch.is_anomaly_enabled()


@row("sync_batchnorm")
def _(run):
    assert len(run(sync_batchnorm=True).train) == EPOCHS * BATCHES


@row("barebones")
def _(run):
    off = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"))
    assert len(run(barebones=True, num_sanity_val_steps=0, **off).train) == EPOCHS * BATCHES
    assert not run.trainer.callback_metrics


@row("profiler")
def _(run):
    profiler = SimpleProfiler()
    run(profiler=profiler)
    assert len(profiler.recorded_durations["run_training_batch"]) == EPOCHS * BATCHES


@row("logger, log_every_n_steps")
def _(run):
    logger = CSVLogger(run.folder)
    run(logger=logger, log_every_n_steps=2)
    steps = [line["step"] for line in logger.experiment.metrics or read_csv(logger) if line.get("train/loss")]
    assert [int(step) for step in steps] == [1, 3, 5, 7, 9]


def read_csv(logger):
    header, *lines = (line.split(",") for line in Path(logger.log_dir, "metrics.csv").read_text().splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


@row("enable_checkpointing")
def _(run):
    run(enable_checkpointing=True)
    assert len(list(run.folder.rglob("*.ckpt"))) == 1


@row("enable_progress_bar, enable_model_summary")
def _(run):
    run(enable_progress_bar=True, enable_model_summary=True)
    assert run.trainer.progress_bar_callback is not None
    assert any(isinstance(callback, ModelSummary) for callback in run.trainer.callbacks)


@row("plugins: AsyncCheckpointIO")
def _(run):
    run(ModelCheckpoint(run.folder / "async"), plugins=[AsyncCheckpointIO()])
    (saved,) = (run.folder / "async").iterdir()
    state = torch.load(saved, weights_only=True)["state_dict"]
    assert all(torch.equal(state[name], value) for name, value in run.module.state_dict().items())


# Callbacks


@row("EarlyStopping")
def _(run):
    assert (
        len(run(EarlyStopping("val/standardized_mse", mode="max", min_delta=9, patience=1), max_epochs=9).train)
        == 2 * BATCHES
    )


@row("EarlyStopping(monitor=...) of what nobody logs")
def _(run):
    run.module = LitAutoencoder(firing_autoencoder(12, 5), rule=run.rule, num_steps=4)
    callbacks = [EarlyStopping("val/msee")]
    quiet_trainer(run.folder, callbacks=callbacks, num_sanity_val_steps=1).fit(run.module, TinyImages())


@row("ModelCheckpoint(monitor, save_top_k, save_last)")
def _(run):
    best = ModelCheckpoint(run.folder, monitor="val/standardized_mse", save_top_k=2, save_last=True, filename="{epoch}")
    run(best, max_epochs=4)
    assert len(best.best_k_models) == 2
    assert (run.folder / "last.ckpt").is_file()


@row("ModelCheckpoint(every_n_train_steps)")
def _(run):
    run(ModelCheckpoint(run.folder, every_n_train_steps=3, save_top_k=-1, filename="{step}"))
    assert {path.stem for path in run.folder.glob("*.ckpt")} == {"step=3", "step=6", "step=9"}


@row("ModelCheckpoint(train_time_interval)")
def _(run):
    run(ModelCheckpoint(run.folder, train_time_interval=timedelta(microseconds=1), save_top_k=-1, filename="{step}"))
    assert len(list(run.folder.glob("*.ckpt"))) == EPOCHS * BATCHES


@row("OnExceptionCheckpoint")
def _(run):
    def fail(trainer, *_):
        if trainer.global_step == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(OnExceptionCheckpoint(run.folder), LambdaCallback(on_train_batch_end=fail))
    assert len(list(run.folder.glob("*.ckpt"))) == 1


@row("LearningRateMonitor")
def _(run):
    run.lit = {"lr_scheduler": functools.partial(lr_scheduler.ExponentialLR, gamma=0.5)}
    logger = CSVLogger(run.folder)
    run(LearningRateMonitor(), logger=logger, log_every_n_steps=1, max_epochs=1)
    rates = [float(line["lr-AdamW"]) for line in read_csv(logger) if line["lr-AdamW"]]
    assert rates == pytest.approx([0.01 * 0.5**k for k in range(BATCHES)])


@row("LearningRateFinder")
def _(run):
    run(LearningRateFinder())


@row("LearningRateFinder(update_attr=False)")
def _(run):
    finder = LearningRateFinder(min_lr=1e-4, num_training_steps=20, update_attr=False)
    diary = run(finder, max_epochs=4)
    assert len(finder.optimal_lr.results["lr"]) == 20
    assert len(diary.train) == 4 * BATCHES
    assert run.rate == 0.01


@row("BatchSizeFinder")
def _(run):
    run(BatchSizeFinder())


@row("StochasticWeightAveraging")
def _(run):
    rates, last = [], []
    watch = LambdaCallback(
        on_train_batch_start=lambda *_: rates.append(run.rate),
        on_train_epoch_end=lambda *_: last.append(weights(run)),
    )
    run(StochasticWeightAveraging(0.002, swa_epoch_start=2, annealing_epochs=2), watch, max_epochs=4)
    assert rates == pytest.approx([0.01] * 10 + [0.006] * 5 + [0.002] * 5)  # the mean of both half-way
    torch.testing.assert_close(
        weights(run), torch.stack(last[:3]).mean(0)
    )  # at the start of each epoch from the second on


def weights(run):
    return next(run.module.network.parameters()).detach().clone()


@row("EMAWeightAveraging")
def _(run):
    trail = []
    # Two callbacks: the second one sees the weights, the first one puts their average in their place at the end.
    run(EMAWeightAveraging(decay=0.5), LambdaCallback(on_train_batch_end=lambda *_: trail.append(weights(run))))
    average = trail[0]
    for later in trail[1:]:
        average = 0.5 * average + 0.5 * later
    torch.testing.assert_close(weights(run), average)


@row("GradientAccumulationScheduler")
def _(run):
    assert len(run(GradientAccumulationScheduler({0: 2})).norms) == EPOCHS * 3


@row("Timer")
def _(run):
    wait = LambdaCallback(on_train_batch_end=lambda *_: time.sleep(0.02))
    assert 0 < len(run(Timer(timedelta(seconds=0.1)), wait, max_epochs=-1, limit_val_batches=0).train) < 20


@row("TQDMProgressBar, RichProgressBar")
def _(run):
    for bar in (TQDMProgressBar(refresh_rate=1), RichProgressBar()):
        assert len(run(bar, enable_progress_bar=True, max_epochs=1).train) == BATCHES


@row("ModelSummary, RichModelSummary")
def _(run):
    for summary in (ModelSummary(2), RichModelSummary(2)):
        assert len(run(summary, enable_model_summary=True, max_epochs=1).train) == BATCHES


@row("ModelPruning")
def _(run):
    run(ModelPruning("l1_unstructured", amount=0.5))
    weights = torch.cat([weight.flatten() for weight in run.module.network.parameters()])
    assert (weights == 0).float().mean().item() >= 0.5


@row("LambdaCallback")
def _(run):
    seen = []
    run(LambdaCallback(on_train_epoch_end=lambda *_: seen.append(1)))
    assert len(seen) == EPOCHS


@row("ThroughputMonitor")
def _(run):
    logger = CSVLogger(run.folder)
    monitor = ThroughputMonitor(batch_size_fn=lambda batch: len(batch.images), window_size=2)
    run(monitor, logger=logger, log_every_n_steps=2)
    assert any(value for line in read_csv(logger) for name, value in line.items() if name.endswith("batches_per_sec"))


@row("DeviceStatsMonitor without psutil")
def _(run):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lightning.pytorch.callbacks.device_stats_monitor._PSUTIL_AVAILABLE", False, raising=False)
        patch.setattr("lightning.pytorch.accelerators.cpu._PSUTIL_AVAILABLE", False)
        run(DeviceStatsMonitor(), logger=DummyLogger())


@row("BackboneFinetuning")
def _(run):
    run(BackboneFinetuning())


@row("SpikeDetection")
def _(run):
    run(SpikeDetection())

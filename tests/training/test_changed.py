"""Going on with a run for longer, or under other settings: each is followed or refused, and none ignored."""

import functools

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import ReduceLROnPlateau
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR

from snn_synth.errors import InputError
from snn_synth.models import AESNN, SpikingGAN
from snn_synth.training import AtomicCheckpointIO, LitAutoencoder, LitSpikingGAN, MNISTSubsetData, ResumeCheckpoint
from snn_synth.training.resume import _whole, changes
from tests.training.resume_child import FewImages

ADAMW, ADAM, SGD = torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD


class Settings(Callback):
    """Learning rate and momentum of every batch, as the optimizer has them."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, *_):
        self.seen += [[group["lr"], group["betas"]] for one in trainer.optimizers for group in one.param_groups]


def autoencoder(optimizer=ADAMW, lr_scheduler=None, hidden=8, alpha=0.1, **settings):
    torch.manual_seed(1)
    settings = {"num_steps": 3, "optimizer": optimizer, "lr_scheduler": lr_scheduler} | settings
    return LitAutoencoder(AESNN(784, hidden, alpha), **settings)


def gan(optimizer=ADAMW, lr_scheduler=None):
    torch.manual_seed(1)
    network = SpikingGAN(side=7, latent=5, hidden=6, num_steps=16, smoothing=16.0)
    return LitSpikingGAN(network, optimizer=optimizer, lr_scheduler=lr_scheduler)


@pytest.fixture
def train(tmp_path):
    """Trains, from the checkpoint of the run before if asked, and gives what the optimizer did."""

    def run(module, epochs, resume=False, data=None, **trainer):
        settings = Settings()
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            limit_val_batches=0,
            callbacks=[settings, ResumeCheckpoint(every_n_batches=4)],
            plugins=[AtomicCheckpointIO()],
            default_root_dir=tmp_path,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **trainer,
        )
        trainer.fit(module, data or FewImages(batch_size=10), ckpt_path=tmp_path / "resume.ckpt" if resume else None)
        return settings.seen

    return run


@pytest.mark.parametrize("make", [autoencoder, functools.partial(autoencoder, rule="online"), gan])
def test_a_longer_run_is_the_one_that_was_as_long_from_the_start(train, make):
    whole, parts, again = make(), make(), make()
    train(whole, 2)
    train(parts, 1)
    train(again, 2, resume=True)
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], weight), name


@pytest.mark.parametrize("make", [autoencoder, functools.partial(autoencoder, rule="online"), gan])
def test_a_schedule_is_stretched_over_a_longer_run(train, make):
    schedule = functools.partial(OneCycleLR, max_lr=0.01)
    whole = train(make(lr_scheduler=schedule), 3)
    first = train(make(lr_scheduler=schedule), 2)
    assert train(make(lr_scheduler=schedule), 3, resume=True) == whole[len(first) :]


def test_another_learning_rate_and_weight_decay_are_followed(train):
    schedule = functools.partial(ExponentialLR, gamma=0.9)
    train(autoencoder(functools.partial(ADAMW, lr=0.01), schedule), 1)
    module = autoencoder(functools.partial(ADAMW, lr=0.001, weight_decay=0.5), schedule)
    seen = train(module, 2, resume=True)
    # The optimizer's values are read after the schedule's step.
    expected = [0.001 * 0.9 ** (10 + batch + 1) for batch in range(10)]
    assert [lr for lr, _ in seen] == pytest.approx(expected)
    [group] = module.trainer.optimizers[0].param_groups
    assert group["weight_decay"] == 0.5
    [state, _] = module.trainer.optimizers[0].state.values()
    assert state["step"] == 20, "what the optimizer had learned is kept"
    # Neither of them is new, and a default is a setting too.
    seen = train(autoencoder(ADAMW, schedule), 3, resume=True)
    assert seen[-1][0] == pytest.approx(1e-3 * 0.9**30)
    seen = train(autoencoder(functools.partial(ADAMW, betas=(0.5, 0.6)), schedule), 4, resume=True)
    assert seen[-1][1] == (0.5, 0.6)


def test_what_the_model_does_is_followed_and_said(train, caplog):
    train(autoencoder(), 1)
    caplog.set_level("INFO", logger="lightning.pytorch")
    module = autoencoder(num_steps=5, seed=3, mask=False)
    train(module, 2, resume=True)
    said = " ".join(caplog.messages)
    for name, new, old in (("num_steps", 5, 3), ("seed", 3, 0), ("mask", False, True)):
        assert f"Going on with `{name}` {new!r}; it was {old!r}" in said


def test_what_changes_nothing_passes_in_silence(train, caplog, tmp_path):
    train(autoencoder(functools.partial(ADAMW, lr=1e-3)), 1, log_every_n_steps=1)
    caplog.set_level("INFO", logger="lightning.pytorch")
    train(autoencoder(ADAMW), 2, resume=True, log_every_n_steps=2)
    assert "Going on" not in " ".join(caplog.messages)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (lambda: {"module": autoencoder(SGD)}, r"`optimizer` to be 'AdamW'.* got 'SGD'"),
        (lambda: {"module": autoencoder(lr_scheduler=functools.partial(ExponentialLR, gamma=0.9))}, "`lr_scheduler`"),
        (lambda: {"module": autoencoder(rule="online")}, r"`rule` to be 'bptt'.* got 'online'"),
        (lambda: {"module": autoencoder(hidden=9)}, r"`network.hidden` to be 8.* got 9"),
        (lambda: {"module": autoencoder(alpha=0.2)}, r"`network.alpha` to be 0.1.* got 0.2"),
        (lambda: {"data": FewImages(batch_size=5)}, r"`data.batch_size` to be 10.* got 5"),
        (lambda: {"data": FewImages(batch_size=10, seed=4)}, "`data.seed`"),
        (lambda: {"data": MNISTSubsetData(batch_size=10)}, r"`data` to be 'FewImages'.* got 'MNISTSubsetData'"),
    ],
)
def test_what_would_make_it_another_run_is_refused(train, changed, named, tmp_path):
    train(autoencoder(), 1)
    before = (tmp_path / "resume.ckpt").read_bytes()
    with pytest.raises(InputError, match=named):
        train(**{"module": autoencoder(), "epochs": 2, "resume": True} | changed())
    assert (tmp_path / "resume.ckpt").read_bytes() == before


def test_a_rate_that_the_schedule_sets_is_refused(train):
    schedule = functools.partial(OneCycleLR, max_lr=0.01)
    train(autoencoder(lr_scheduler=schedule), 1)
    with pytest.raises(InputError, match=r"`lr_scheduler.max_lr` .* as OneCycleLR .* got `optimizer.lr` 0.3"):
        train(autoencoder(functools.partial(torch.optim.AdamW, lr=0.3), schedule), 2, resume=True)


def test_a_schedule_that_is_too_short_is_refused(train):
    schedule = functools.partial(OneCycleLR, max_lr=0.01)
    train(autoencoder(lr_scheduler=schedule), 1)
    with pytest.raises(InputError, match="more than the 10 steps"):
        train(autoencoder(lr_scheduler=schedule), 2, resume=True, accumulate_grad_batches=5)


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ({"last_epoch": 10**13}, r"at most 10 steps .* got 'last_epoch' of 10000000000000"),
        ({"last_epoch": -1}, "'last_epoch' of -1"),
        ({"last_epoch": 6.0}, r"'last_epoch' of 6\.0"),
        ({"_step_count": 10**13}, "'_step_count'"),
        ({"step": "x"}, "ExponentialLR.* got 'step' of 'x'"),
        ({"load_state_dict": None}, "'load_state_dict'"),
        ({"optimizer": 5}, "'optimizer' of 5"),
        ({"gamma": "x"}, "'gamma' of 'x'"),
        ({"base_lrs": []}, r"'base_lrs' of \[\]"),
        ({"base_lrs": ["x"]}, "'base_lrs'"),
        ({7: "x"}, "states of schedulers"),
    ],
)
def test_a_state_that_no_scheduler_comes_to_is_refused(train, tmp_path, state, named):
    schedule = functools.partial(ExponentialLR, gamma=0.9)
    train(autoencoder(lr_scheduler=schedule), 1)
    checkpoint = torch.load(tmp_path / "resume.ckpt")
    checkpoint["lr_schedulers"][0] |= state
    torch.save(checkpoint, tmp_path / "resume.ckpt")
    for optimizer in (ADAMW, functools.partial(ADAMW, lr=0.5)):  # the same settings, and others
        with pytest.raises(InputError, match=named):
            train(autoencoder(optimizer, schedule), 2, resume=True)


def test_a_schedule_without_end_is_not_made_anew(train, tmp_path):
    schedule = functools.partial(ExponentialLR, gamma=0.9)
    train(autoencoder(lr_scheduler=schedule), 1)
    checkpoint = torch.load(tmp_path / "resume.ckpt")
    checkpoint["lr_schedulers"][0]["last_epoch"] = 10**13
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.automatic_optimization.optim_progress"]
    progress["optimizer"]["step"]["total"]["completed"] = 10**13
    torch.save(checkpoint, tmp_path / "resume.ckpt")
    with pytest.raises(InputError, match="not made anew"):
        train(autoencoder(functools.partial(ADAMW, lr=0.5), schedule), 2, resume=True)


SCHEDULES = [
    functools.partial(lr_scheduler.MultiStepLR, milestones=[1, 12]),
    functools.partial(lr_scheduler.CosineAnnealingWarmRestarts, T_0=3),
    functools.partial(lr_scheduler.CyclicLR, base_lr=0.001, max_lr=0.01, cycle_momentum=False),
    functools.partial(ReduceLROnPlateau, monitor="train/loss", patience=0),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda one: one.func.__name__)
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_every_schedule_goes_on_where_it_was(train, schedule, interval):
    def make():
        return autoencoder(lr_scheduler=schedule, lr_interval=interval)

    whole = train(make(), 2)
    first = train(make(), 1)
    assert train(make(), 2, resume=True) == whole[len(first) :]


def test_of_a_setting_that_only_one_side_has_nothing_is_known_nor_of_private_ones():
    before, now = {"a": 1, "gone": 2, "_class": "A", "b": 3}, {"a": 1, "new": 4, "_class": "B", "b": 5}
    assert changes(before, now) == {"b": (3, 5)}


def test_an_optimizer_that_was_not_given_is_the_one_that_it_then_is():
    module, given = LitAutoencoder(AESNN(12, 3)), {"class_path": "AdamW", "init_args": {"lr": 0.001}}
    assert _whole(module, {"optimizer": None}) == _whole(module, {"optimizer": given})
    assert _whole(module, {"optimizer": None})["optimizer"]["init_args"]["weight_decay"] == 0.01
    assert _whole(module, {"seed": 3}) == {"seed": 3}, "of what is not there, nothing is known"

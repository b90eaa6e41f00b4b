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
from snn_synth.training import resume as resuming
from snn_synth.training.resume import _alike, _shown, _whole, changes, check_progress, check_settings, follow_settings
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
def test_a_schedule_is_stretched_over_a_longer_run(train, make, caplog):
    schedule = functools.partial(OneCycleLR, max_lr=0.01)
    whole = train(make(lr_scheduler=schedule), 3)
    first = train(make(lr_scheduler=schedule), 2)
    caplog.set_level("INFO", logger="lightning.pytorch")
    assert train(make(lr_scheduler=schedule), 3, resume=True) == whole[len(first) :]
    assert "The learning rate goes on as that of a run of 30 steps at step 20." in caplog.messages


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


def test_a_schedule_that_is_at_its_end_stays_there(train, caplog):
    schedule = functools.partial(OneCycleLR, max_lr=0.01)
    train(autoencoder(lr_scheduler=schedule), 1)
    caplog.set_level("INFO", logger="lightning.pytorch")
    assert train(autoencoder(lr_scheduler=schedule, seed=3), 1, resume=True) == []
    assert "Going on with `seed` 3" in " ".join(caplog.messages)
    assert "The learning rate goes on" not in " ".join(caplog.messages)


@pytest.mark.parametrize("most", [10, 9])
def test_as_many_steps_are_made_anew_as_are_allowed(train, monkeypatch, most):
    schedule = functools.partial(ExponentialLR, gamma=0.9)
    train(autoencoder(lr_scheduler=schedule), 1)
    monkeypatch.setattr(resuming, "MOST", most)
    if most == 10:
        train(autoencoder(functools.partial(ADAMW, lr=0.5), schedule), 2, resume=True)
    else:
        with pytest.raises(InputError, match=r"a schedule of more than 9 steps is not made anew.* at step 10"):
            train(autoencoder(functools.partial(ADAMW, lr=0.5), schedule), 2, resume=True)


def test_a_run_goes_on_within_the_first_epoch_of_its_schedule(train, tmp_path):
    def make():
        return autoencoder(lr_scheduler=functools.partial(ExponentialLR, gamma=0.5), lr_interval="epoch")

    whole = train(make(), 2)
    stopped = make()
    stopped.on_train_batch_start = lambda batch, batch_idx: 1 // (5 - batch_idx) and None
    with pytest.raises(ZeroDivisionError):
        train(stopped, 2)
    assert torch.load(tmp_path / "resume.ckpt", weights_only=True)["lr_schedulers"][0]["last_epoch"] == 0
    assert train(make(), 2, resume=True) == whole[4:]


def test_a_schedule_of_epochs_may_have_begun_with_the_one_that_goes_on(train, monkeypatch):
    """After three epochs, of which somebody's own loop has counted no step of the optimizer, it may be at 4."""
    module = autoencoder(lr_scheduler=functools.partial(ExponentialLR, gamma=0.5), lr_interval="epoch")
    train(module, 3, limit_train_batches=1)
    monkeypatch.setattr(Trainer, "global_step", 0)
    [schedule] = [one.scheduler for one in module.trainer.lr_scheduler_configs]
    for reached in (3, 4):
        schedule.last_epoch, schedule._step_count = reached, reached + 1
        follow_settings(module, False)
    for name in ("last_epoch", "_step_count"):
        schedule.last_epoch, schedule._step_count = 4, 5
        setattr(schedule, name, getattr(schedule, name) + 1)
        with pytest.raises(InputError, match=f"after at most 4 steps in the checkpoint, got '{name}'"):
            follow_settings(module, False)


@pytest.mark.parametrize("states", [{}, {"a": 1}, [3], [["a"]], [{"a": 1}, {1: "a"}], "x"])
def test_states_of_schedulers_are_a_list_of_dictionaries_with_names(states):
    with pytest.raises(InputError, match="Expected the states of schedulers as `lr_schedulers`"):
        check_settings(autoencoder(), {"lr_schedulers": states}, ())


class OnlyTrainer:
    """As much of a module as a comparison of its data asks for."""

    optimizer, lr_scheduler, hparams = ADAMW, None, {}

    def __init__(self, data):
        self.trainer = self
        self.datamodule = data


def test_data_is_compared_where_both_sides_know_theirs():
    data, root = FewImages(batch_size=10), {"root": "/elsewhere"}
    known = {"datamodule_hyper_parameters": dict(data.hparams) | {"_class_path": "somewhere.FewImages"}}
    for module, checkpoint in (
        (OnlyTrainer(data), known),
        (OnlyTrainer(None), known),
        (OnlyTrainer(data), {}),
        (OnlyTrainer(data), {"datamodule_hyper_parameters": None}),
    ):
        assert not check_settings(module, checkpoint, ())
    elsewhere = {"datamodule_hyper_parameters": known["datamodule_hyper_parameters"] | root}
    data.hparams["root"] = "/here"
    assert not check_settings(OnlyTrainer(data), elsewhere, ()), "where the data lies is no matter"
    data.hparams["seed"] = 9
    with pytest.raises(InputError, match=r"Expected `data.seed` to be 0, as when the checkpoint was saved, got 9"):
        check_settings(OnlyTrainer(data), elsewhere, ())


def test_a_fixed_setting_that_is_not_given_is_whatever_it_was():
    module, checkpoint = (
        OnlyTrainer(None),
        {"hyper_parameters": {"audio": "fsdd", "network": "a", "monitor": "val/mse"}},
    )
    module.hparams = {"audio": None, "network": "a", "monitor": "val/standardized_mse"}
    assert not check_settings(module, checkpoint, ("audio", "network"))
    module.hparams = {"audio": "mine", "network": "a"}
    with pytest.raises(InputError, match="Expected `audio` to be 'fsdd'"):
        check_settings(module, checkpoint, ("audio", "network"))
    module.hparams = {"audio": None, "network": "a"}
    assert check_settings(module, checkpoint, ("network",))


class Keeps:
    """What a run sees of a callback of Lightning's; as a true one it would be among those that `fit` knows."""

    __module__ = "lightning.pytorch.callbacks.keeps"
    state_key = "Keeps"

    def __init__(self, **state):
        self.kept = state

    def state_dict(self):
        return self.kept


@pytest.mark.parametrize("value", [-1, 1.0, True, "1", None, {}])
def test_counts_of_loops_are_whole_numbers(value):
    progress = {"loops": {"fit_loop": {"state": {"total": {"ready": 0, "other": -1}}, "epoch": {"completed": 3}}}}
    check_progress(progress, [])
    progress["loops"]["fit_loop"]["epoch"]["completed"] = value
    with pytest.raises(InputError, match="Expected counts of steps and epochs in the checkpoint, got"):
        check_progress(progress, [])


def test_callbacks_of_lightning_are_given_a_state_like_theirs():
    mine = Keeps(best=torch.tensor(1.0), wait=0, none=None)
    alike = [{"best": torch.tensor(2.0), "wait": 3, "none": "x"}, {"wait": 2.5}, {}]
    for state in alike:
        check_progress({"callbacks": {mine.state_key: state}}, [mine])
    for state in ({"best": 2.0}, {"best": torch.zeros(2)}, {"wait": "3"}, {"wait": []}):
        (name,) = state
        with pytest.raises(InputError, match=f"Expected the state of Keeps in the checkpoint, got '{name}' of "):
            check_progress({"callbacks": {mine.state_key: state}}, [mine])
    theirs = type("Keeps", (Keeps,), {"__module__": "somebodys.callbacks"})(wait=0)
    check_progress({"callbacks": {theirs.state_key: {"wait": "3"}}}, [theirs])


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ([1.0, 2], [3, 4.5], True),
        ([1.0, 2], [3], False),
        ([1.0, 2], [3, "x"], False),
        ([1.0], 3, False),
        (3, [1.0], False),
        (1, torch.tensor([2.0]), True),
        (torch.tensor(1.0), 2, True),
        (1, torch.zeros(2), False),
        (1, torch.zeros(0), False),
        (1.0, "x", False),
        (None, "x", True),
        ("a", None, True),
        ("a", "b", True),
        ("a", 1, False),
    ],
)
def test_which_states_are_alike(one, other, found):
    assert _alike(one, other) == found


def test_what_is_found_is_shown_in_a_line():
    assert _shown({"a": "b\n  c"}) == repr({"a": "b\n c"}).replace("\n  ", "\n ")
    assert _shown("x" * 200) == "'" + "x" * 99


def test_a_class_is_not_the_text_of_its_name():
    adam = {"class_path": "torch.optim.Adam", "init_args": {"lr": 1.0}}
    assert changes({"a": adam}, {"a": "Adam"}) == changes({"a": "Adam"}, {"a": adam}) == {"a": ("Adam", "Adam")}
    assert changes({"a": adam}, {"a": None}) == {"a": ("Adam", None)}


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

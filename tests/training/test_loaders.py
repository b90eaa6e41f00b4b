import contextlib
import functools
import itertools

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

from snn_synth.models import AESNN
from snn_synth.training import LitAutoencoder, MNISTSubsetData, ResumeCheckpoint
from snn_synth.training.loaders import Batches, BatchSampler, ResumableLoader
from tests.training.tiny import TinyImages, quiet_trainer


def sampler(size, batch_size, rank=0, ranks=1, epoch=0, seed=0, shuffle=True):
    """What one rank of several makes: outside a process group, rank and number of ranks are set by hand."""
    made = BatchSampler(size, batch_size, shuffle, seed)
    made.rank, made.num_replicas = rank, ranks
    made.num_samples = -(-size // ranks)
    made.total_size = made.num_samples * ranks
    made.set_epoch(epoch)
    return made


def test_each_sample_once_per_epoch_in_batches_of_the_size():
    batches = list(sampler(95, 10))
    assert [len(batch) for batch in batches] == [10] * 9 + [5]
    assert sorted(itertools.chain(*batches)) == list(range(95))
    assert len(sampler(95, 10)) == len(batches)
    assert list(sampler(95, 10, shuffle=False)) == [list(range(95))[i : i + 10] for i in range(0, 95, 10)]


def test_the_order_is_another_in_each_epoch_and_for_each_seed_and_the_same_again():
    orders = {(seed, epoch): list(sampler(60, 10, seed=seed, epoch=epoch)) for seed in range(3) for epoch in range(3)}
    assert len({str(order) for order in orders.values()}) == 9
    torch.manual_seed(99)  # PyTorch's own generator has no say
    assert list(sampler(60, 10, seed=1, epoch=2)) == orders[1, 2]


def test_the_order_is_the_one_that_runs_of_before_have_had():
    """A run that goes on from an older checkpoint skips the batches that it has seen."""
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3 * 1_000_003 + 2)).tolist()
    assert list(itertools.chain(*sampler(60, 10, seed=3, epoch=2))) == order


@pytest.mark.parametrize(("size", "ranks"), [(80, 2), (86, 2), (63, 3), (60, 4)])
def test_the_ranks_batches_together_are_one_ranks_joint_batch(size, ranks):
    joint = list(sampler(size, 10 * ranks, epoch=3))
    parts = [list(sampler(size, 10, rank, ranks, epoch=3)) for rank in range(ranks)]
    assert len(sampler(size, 10, 0, ranks)) == len(joint)
    for step, batch in enumerate(joint):
        assert list(itertools.chain(*(part[step] for part in parts))) == batch
        assert len({len(part[step]) for part in parts}) == 1  # else the mean of means is not the mean


def test_ranks_that_do_not_divide_the_samples_see_a_sample_twice_and_none_never():
    parts = [list(sampler(45, 10, rank, 2)) for rank in range(2)]
    assert [[len(batch) for batch in part] for part in parts] == [[10, 10, 3]] * 2
    seen = sorted(itertools.chain(*itertools.chain(*parts)))
    assert set(seen) == set(range(45))
    assert len(seen) == 46


def loader(epoch=0):
    made = ResumableLoader(Batches(torch.arange(100, 145), lambda places: places), 10, shuffle=True, seed=5)
    made.sampler.set_epoch(epoch)
    return made


def tensors(batches):
    return [batch.tolist() for batch in batches]


@pytest.mark.parametrize("given", [1, 3, 4])
def test_a_loader_goes_on_after_the_batches_that_it_gave(given):
    first = loader(epoch=2)
    batches = iter(first)
    for _ in range(given):
        next(batches)
    again = loader(epoch=2)
    again.load_state_dict(first.state_dict())
    assert tensors(again) == tensors(loader(epoch=2))[given:] == tensors(batches)
    again.sampler.set_epoch(3)
    assert tensors(again) == tensors(loader(epoch=3))  # the next epoch is a whole one


def test_a_state_at_the_end_of_an_epoch_starts_a_whole_one():
    first = loader()
    assert first.state_dict() == {"batches": 0}
    assert len(list(first)) == 5
    again = loader(epoch=1)
    again.load_state_dict(first.state_dict())
    assert tensors(again) == tensors(loader(epoch=1))


class Seen(Callback):
    """The samples of every batch of a run."""

    def __init__(self):
        self.batches = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.batches.append((trainer.current_epoch, batch_idx, batch.index.tolist()))


class Stop(Callback):
    """Raises at a batch, as Ctrl-C would."""

    def __init__(self, epoch, batch):
        self.place = epoch, batch

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == self.place:
            raise ZeroDivisionError


def fit(folder, callbacks, rule="bptt", scheduler=True, ckpt_path=None, **settings):
    torch.manual_seed(0)
    one_cycle = functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.01)
    module = LitAutoencoder(AESNN(12, 6), rule=rule, num_steps=3, lr_scheduler=one_cycle if scheduler else None)
    seen = Seen()
    trainer = quiet_trainer(folder, max_epochs=3, callbacks=[*callbacks, seen], **settings)
    with contextlib.suppress(ZeroDivisionError):
        trainer.fit(module, TinyImages(), ckpt_path=ckpt_path)
    return seen.batches, list(module.network.parameters())


@pytest.mark.parametrize("scheduler", [True, False])
@pytest.mark.parametrize("limit", [1.0, 3])
@pytest.mark.parametrize("stop", [(0, 2), (1, 0), (2, 1)])
def test_lightnings_loop_goes_on_at_the_batch_of_the_checkpoint(tmp_path, stop, limit, scheduler):
    # With a limit, an epoch ends before its loader does; for OneCycleLR, Lightning makes the loader before it restores.
    whole, weights = fit(tmp_path, [], scheduler=scheduler, limit_train_batches=limit)
    assert len(whole) == 3 * (5 if limit == 1.0 else 3)
    saving = [ResumeCheckpoint(every_n_batches=1), Stop(*stop)]
    before, _ = fit(tmp_path, saving, scheduler=scheduler, limit_train_batches=limit)
    after, resumed = fit(
        tmp_path, [], scheduler=scheduler, ckpt_path=tmp_path / "resume.ckpt", limit_train_batches=limit
    )
    assert before + after == whole
    assert all(torch.equal(a, b) for a, b in zip(resumed, weights, strict=True))


@pytest.mark.parametrize("rule", ["bptt", "online"])
@pytest.mark.parametrize(("interval", "stop"), [(2, (1, 3)), (1.0, (1, 2))])
def test_a_checkpoint_of_modelcheckpoint_made_in_a_validation_resumes_too(tmp_path, rule, interval, stop):
    whole, weights = fit(tmp_path, [], rule, val_check_interval=interval)
    best = ModelCheckpoint(tmp_path / "best", monitor="val/standardized_mse", save_last=True, save_top_k=-1)
    before, _ = fit(tmp_path, [best, Stop(*stop)], rule, val_check_interval=interval)
    after, resumed = fit(tmp_path, [], rule, val_check_interval=interval, ckpt_path=tmp_path / "best" / "last.ckpt")
    assert after == whole[-len(after) :]
    assert len(before) + len(after) >= len(whole)
    assert all(torch.equal(a, b) for a, b in zip(resumed, weights, strict=True))


@pytest.mark.parametrize(("size", "batches"), [(25, 2), (20, 2), (7, 1)])
def test_a_ragged_last_batch_is_left_out_where_asked_unless_it_is_the_only_one(size, batches):
    sampler = BatchSampler(size, batch_size=10, shuffle=True, seed=0, drop_last=True)
    given = list(sampler)
    assert len(sampler) == len(given) == batches
    assert {len(batch) for batch in given} == {min(size, 10)}
    assert len({position for batch in given for position in batch}) == sum(map(len, given))


@pytest.mark.parametrize(("size", "batches"), [(15, 1), (20, 1), (38, 1), (40, 2)])
def test_what_is_the_only_batch_is_counted_over_all_ranks(size, batches, monkeypatch):
    """Two ranks of ten samples each."""
    for name, value in (("is_initialized", True), ("get_world_size", 2), ("get_rank", 0)):
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    made = BatchSampler(size, 10, shuffle=False, seed=0, drop_last=True)
    assert len(made) == len(list(made)) == batches


def test_training_leaves_out_a_ragged_batch_and_testing_does_not():
    data = MNISTSubsetData(batch_size=70)
    data.setup("fit")
    assert {len(batch.labels) for batch in data.train_dataloader()} == {70}
    assert sum(len(batch.labels) for batch in data.test_dataloader()) == 500

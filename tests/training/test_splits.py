"""What is held out, and in which order it comes."""

import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.training.splits import SplitData, hold_out, mixed

INDEX, LABELS = torch.arange(10, 50), torch.arange(60) % 2


class Numbers(SplitData):
    """Numbers to train on, of which some validate, and others to test."""

    def __init__(self, **settings):
        super().__init__(**{"batch_size": 4, "validation_fraction": 0.25, "seed": 3} | settings)
        self.train_set, self.test_set = range(100, 160), range(200, 210)
        self.train_index, self.validation_index = hold_out(INDEX, LABELS, self.validation_fraction, self.seed)

    def batch(self, samples, places):
        return [samples[place] for place in places]


def test_nothing_is_held_out_if_nothing_is_asked_for():
    rest, part = hold_out(INDEX, LABELS, 0, seed=0)
    assert rest.tolist() == INDEX.tolist()
    assert len(part) == 0
    assert part.dtype == INDEX.dtype
    assert Numbers(validation_fraction=0.0).val_dataloader() == []


def test_a_fraction_of_each_label_is_held_out_by_seed():
    parts = [hold_out(INDEX, LABELS, 0.25, seed) for seed in (1, 2, 1)]
    for rest, part in parts:
        assert sorted(torch.cat([rest, part]).tolist()) == INDEX.tolist()
        assert LABELS[part].bincount().tolist() == [5, 5]
    assert torch.equal(parts[0][1], parts[2][1])
    assert not torch.equal(parts[0][1], parts[1][1])


@pytest.mark.parametrize("fraction", [1, -1, 0.999])
def test_fractions_that_leave_a_side_empty_name_the_setting(fraction):
    with pytest.raises(InputError, match=r"\(`fraction`\)$"):
        hold_out(INDEX, LABELS, fraction, 0)
    with pytest.raises(InputError, match=r"\(`test_fraction`\)$"):
        hold_out(INDEX, LABELS, fraction, 0, "test_fraction")


def test_what_is_mixed_is_mixed_by_seed():
    orders = [mixed(INDEX, seed).tolist() for seed in (1, 2, 1)]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == INDEX.tolist() != orders[0]


def test_training_is_shuffled_in_each_epoch_and_the_rest_comes_in_order():
    data = Numbers()
    loader, orders = data.train_dataloader(), []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        orders.append([number - 100 for batch in loader for number in batch])
    assert [len(order) for order in orders] == [28, 28], "without a last batch of two"
    assert orders[0] != orders[1]
    assert set(orders[0]) < set(data.train_index.tolist())
    (loader,) = data.val_dataloader()
    assert [number - 100 for batch in loader for number in batch] == data.validation_index.tolist()
    for loader in (data.test_dataloader(), data.predict_dataloader()):
        assert [number for batch in loader for number in batch] == list(range(200, 210))
    assert [number for batch in Numbers(batch_size=1).test_dataloader() for number in batch] == list(range(200, 210))

import pytest
import torch

from snn_synth.data import leave_one_speaker_out, random_split, split_by_speaker
from snn_synth.errors import InputError


def test_a_random_split_is_a_partition_that_the_seed_draws():
    rest, part = random_split(1000, 0.15, seed=3)
    assert len(part) == 150
    assert torch.equal(torch.cat([rest, part]).sort().values, torch.arange(1000))
    again = random_split(1000, 0.15, seed=3)[1]
    other = random_split(1000, 0.15, seed=4)[1]
    assert torch.equal(part, again)
    assert not torch.equal(part, other)


def test_a_random_split_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    random_split(10, 0.5, seed=1)
    assert torch.equal(torch.rand(1), expected)


def test_a_stratified_split_takes_the_fraction_of_each_label():
    labels = torch.tensor([0] * 40 + [1] * 20 + [2] * 10)
    _, part = random_split(70, 0.1, seed=0, labels=labels)
    assert labels[part].bincount().tolist() == [4, 2, 1]


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), 0.001])
def test_a_split_with_an_empty_side_is_refused(fraction):
    with pytest.raises(InputError):
        random_split(10, fraction, seed=0)


def test_a_stratified_split_leaves_no_label_without_samples():
    labels = torch.tensor([0] * 4 + [1] * 2)
    with pytest.raises(InputError, match=r"leaves samples of each label, got 0\.8 of 2"):
        random_split(6, 0.8, seed=0, labels=labels)
    with pytest.raises(InputError, match=r"a fraction above 0\.125.* got 0\.1"):
        random_split(6, 0.1, seed=0, labels=labels)
    assert len(random_split(6, 0.126, seed=0, labels=labels)[1]) == 1


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 1, 2])])
def test_a_split_of_single_samples_asks_for_no_fraction_that_would_be_refused_too(labels):
    with pytest.raises(InputError, match=r"Expected at least 2 samples.*, got 1$"):
        random_split(1 if labels is None else 3, 0.6, seed=0, labels=labels)


def test_labels_of_another_length_are_refused():
    with pytest.raises(InputError, match="Expected 10 labels, got 3"):
        random_split(10, 0.5, seed=0, labels=torch.zeros(3))


def test_speakers_are_held_out_whole():
    rest, held_out = split_by_speaker(["a", "b", "c", "b", "a"], ["b", "c"])
    assert (rest.tolist(), held_out.tolist()) == ([0, 4], [1, 2, 3])


def test_an_unknown_speaker_is_named_beside_the_known_ones():
    with pytest.raises(InputError, match="among ann, bob, got zoe"):
        split_by_speaker(["bob", "ann"], ["ann", "zoe"])


@pytest.mark.parametrize("held_out", [[], ["a", "b"]])
def test_holding_out_nobody_or_everybody_is_refused(held_out):
    with pytest.raises(InputError, match="some speakers and not all"):
        split_by_speaker(["a", "b"], held_out)


def test_one_speaker_is_left_out_whole():
    rest, one = leave_one_speaker_out(["a", "b", "c", "b", "a"], ["b"])
    assert (rest.tolist(), one.tolist()) == ([0, 2, 4], [1, 3])


@pytest.mark.parametrize(
    ("speakers", "left_out", "sentence"),
    [
        (["a", "b", "c"], [], "one speaker to leave out, got none"),
        (["a", "b", "c"], ["a", "b"], "one speaker to leave out, got a, b"),
        (["a", "b", "c"], ["zoe"], "among a, b, c, got zoe"),
        (["a", "b", "a"], ["a"], "at least three speakers, to leave one out, got a and b"),
        (["a", "b", "c", "", ""], ["a"], "the speaker of each sample, to leave one out, got 2 samples without"),
    ],
)
def test_what_leaves_no_one_out(speakers, left_out, sentence):
    with pytest.raises(InputError, match=sentence):
        leave_one_speaker_out(speakers, left_out)


def test_of_many_speakers_a_message_names_some():
    many = [f"speaker {number:03}" for number in range(273)]
    with pytest.raises(InputError, match=r"among speaker 000, .*, speaker 019 and 253 more, got nobody"):
        split_by_speaker(many, ["nobody"])


def test_two_samples_can_be_split_and_of_none_nothing_is_held_out():
    assert [len(side) for side in random_split(2, 0.5, seed=0)] == [1, 1]
    assert [len(side) for side in random_split(2, 0.5, seed=0, labels=torch.tensor([4, 4]))] == [1, 1]
    for labels in (None, torch.tensor([])):
        with pytest.raises(InputError, match=r"at least 2 samples.*, got 0$"):
            random_split(0, 0.5, seed=0, labels=labels)


@pytest.mark.parametrize("samples", [2, 3, 7, 40, 333])
def test_a_little_above_the_fraction_that_is_named_there_is_a_sample(samples):
    with pytest.raises(InputError, match="a fraction above") as caught:
        random_split(samples, 1e-6, seed=0)
    named = float(str(caught.value).split("above ")[1].split(",")[0])
    assert round((named - 0.001) * samples) == 0
    assert len(random_split(samples, named + 1e-4, seed=0)[1]) == 1


@pytest.mark.parametrize(("known", "end"), [(20, "speaker 19, got"), (21, "speaker 19 and 1 more, got")])
def test_up_to_20_speakers_are_all_named(known, end):
    with pytest.raises(InputError, match=end):
        split_by_speaker([f"speaker {number:02}" for number in range(known)], ["nobody"])


@pytest.mark.parametrize("fraction", [0, 1])
def test_a_fraction_lies_between_0_and_1(fraction):
    with pytest.raises(InputError, match=f"a fraction between 0 and 1, got {fraction}$"):
        random_split(10, fraction, seed=0)

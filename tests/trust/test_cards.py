"""`make trust`: the shipped networks regenerate whole test sets and draw new images as well as their cards say."""

import os

import pytest

from tests.models.cards import DRAW, REGENERATE, regenerated, said, sampled

pytestmark = pytest.mark.skipif(
    not {"SNN_SYNTH_TRUST", "SNN_SYNTH_DATA"} <= os.environ.keys(), reason="by make trust, with SNN_SYNTH_DATA"
)


@pytest.mark.parametrize("name", REGENERATE)
def test_the_whole_test_set_is_regenerated_as_the_card_says(name, tried):
    tried("images of shipped networks", 10_000)
    found = regenerated(name, 10_000)
    assert found == pytest.approx(said(name, REGENERATE[name]), rel=0.01), "other spikes, the same images"


@pytest.mark.parametrize("name", [*DRAW, "fsdd-condition"])
def test_samples_are_as_good_as_the_card_says(name, tried):
    count, bound = (2_000, 0.01) if name in ("mnist-gan", "mnist-esvae") else (1_000, 0.04)
    tried("images of shipped networks", count)
    for measure, found in sampled(name, count).items():
        assert found == pytest.approx(said(name, measure), abs=bound), "of other random numbers"

import numpy as np
import pytest

from snn_synth.kernels.cpu import cache
from snn_synth.kernels.cpu.bits import count_differing, list_differing
from snn_synth.kernels.cpu.threads import jit


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """Both, as kernels of their own: how many, and the places."""

    def count(team, x, other, factor, out):
        out[0] = count_differing(x, other, factor)

    def listed(team, x, other, factor, places, out):
        out[0] = list_differing(x, other, factor, places)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "folder", lambda: tmp_path_factory.mktemp("kernels"))  # named after the package's code
        return jit(count), jit(listed)


def row(size, share, seed):
    generator = np.random.default_rng(seed)
    return np.where(generator.random(size) < share, generator.normal(size=size), 0).astype(np.float32)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 100, 784])
def test_places_are_those_that_numpy_finds(size, share, kernels):
    count, listed = kernels
    x, other, factor = row(size, share, 0), row(size, 0.3, 1), np.float32(0.9)
    kept = np.random.default_rng(2).random(size) < 0.4
    x[kept] = (other * factor)[kept]
    for beside, scale, expected in ((x, np.float32(0), np.zeros_like(x)), (other, factor, factor * other)):
        wanted, out = np.flatnonzero(x != expected), np.zeros(1, np.int64)
        count(x, beside, scale, out)
        assert out[0] == len(wanted)
        places = np.full(size + 20, -7, np.int32)  # with a wall behind
        listed(x, beside, scale, places[:size], out)
        assert out[0] == len(wanted)
        assert np.array_equal(places[: len(wanted)], wanted)
        assert (places[size:] == -7).all()


@pytest.mark.parametrize("at", [3, 18])  # of the 16 at a time, and of the rest
def test_what_is_no_number_differs_and_a_negative_zero_does_not(at, kernels):
    _, listed = kernels
    x, out, places = np.zeros(20, np.float32), np.zeros(1, np.int64), np.zeros(20, np.int32)
    for number in (np.nan, np.inf, -np.inf):
        x[at], x[at - 1] = number, -0.0
        for other, factor in ((x, np.float32(0)), (np.zeros_like(x), np.float32(1))):
            listed(x, other, factor, places, out)
            assert (out[0], places[0]) == (1, at)

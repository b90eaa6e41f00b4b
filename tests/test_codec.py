import math

import pytest
import torch

from snn_synth.codec import PackedSpikes, compression_ratio, pack, quantize, repeat_map, unpack
from snn_synth.errors import InputError


@pytest.mark.parametrize("num_steps", [1, 2, 5, 10, 15])
@pytest.mark.parametrize("neurons", [196, 7])
def test_a_round_trip_loses_nothing_and_has_the_papers_size(num_steps, neurons):
    generator = torch.Generator().manual_seed(num_steps)
    spikes = (torch.rand(num_steps, 11, neurons, generator=generator) < 0.4).float()
    packed = pack(spikes)
    assert packed.data.numel() == 11 * -(-num_steps * neurons // 8)
    assert torch.equal(unpack(packed), spikes)
    some = packed._replace(data=packed.data[[3, 3, 0]])
    assert torch.equal(unpack(some), spikes[:, [3, 3, 0]])


def test_compression_ratios_are_the_papers():
    assert [round(compression_ratio(t), 1) for t in (15, 10, 5, 2, 1)] == [2.1, 3.2, 6.4, 16.0, 32.0]
    packed = pack(torch.zeros(2, 1, 196))
    assert 784 / packed.data.numel() == compression_ratio(2)


def test_a_map_is_shown_cyclically():
    spikes = torch.arange(3.0).reshape(3, 1, 1)
    assert repeat_map(spikes, 7).flatten().tolist() == [t % 3 for t in range(7)]
    assert repeat_map(spikes, 2).flatten().tolist() == [0, 1]


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_levels_by_their_formula(bits):
    values = torch.rand(6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
    values[0, :2] = torch.tensor([0.0, 3.0])
    found, levels = quantize(values, bits), 2**bits - 1
    for x, q in zip(values.flatten().tolist(), found.flatten().tolist(), strict=True):
        assert q == pytest.approx(3 / levels * math.floor(levels * x / 3 + 0.5), abs=1e-12)
    assert found.max() == 3
    assert quantize(torch.zeros(3), bits).tolist() == [0, 0, 0]
    assert quantize(torch.zeros(0), bits).shape == (0,)


def test_what_has_no_levels_is_named():
    for bits in (0, -1):
        with pytest.raises(InputError, match=f"`bits` to be at least 1, got {bits}"):
            quantize(torch.ones(2), bits)
    with pytest.raises(InputError, match=r"values of at least 0, got -0\.5"):
        quantize(torch.tensor([1.0, -0.5]), 2)


def test_a_map_without_axes_or_steps_is_named():
    for shape in ((), (0, 2, 3)):
        with pytest.raises(InputError, match=rf"\[T_h, B, N\], got \[{', '.join(map(str, shape))}\] \(T_h >= 1\)"):
            repeat_map(torch.zeros(shape), 3)
    assert repeat_map(torch.ones(2), 1).tolist() == [1]


def test_bad_input_is_named():
    with pytest.raises(InputError, match="spikes of 0 and 1"):
        pack(torch.full((1, 1, 1), 0.5))
    with pytest.raises(InputError, match=r"\[T_h, B, N\], got \[2, 3\]"):
        pack(torch.zeros(2, 3))
    with pytest.raises(InputError, match=r"\[B, 25\] for maps of 1 x 196 bits, got torch.uint8 \[3, 24\]"):
        unpack(PackedSpikes(torch.zeros(3, 24, dtype=torch.uint8), 1, 196))
    for function in (lambda: repeat_map(torch.zeros(1, 1, 1), 0), lambda: compression_ratio(0)):
        with pytest.raises(InputError, match="`num_steps` to be at least 1, got 0"):
            function()


@pytest.mark.parametrize("sizes", [(-1, -1), (0, 5), (1.0, 1), ("1", 1), (None, 1), (10**400, 1), (2**31, 2**31)])
def test_sizes_from_a_file_are_checked(sizes):
    with pytest.raises(InputError, match="Expected time steps and neurons of at least 1"):
        unpack(PackedSpikes(torch.zeros(1, 1, dtype=torch.uint8), *sizes))


def test_the_longest_map_is_taken():
    """Of no sample, for which no byte is needed."""
    for sizes in ((2**31 - 1, 1), (1, 2**31 - 1)):
        assert unpack(PackedSpikes(torch.zeros(0, 2**28, dtype=torch.uint8), *sizes)).shape == (sizes[0], 0, sizes[1])
    for sizes in ((2**31, 1), (1, 2**31)):
        with pytest.raises(InputError, match=f"at least 1, got {sizes[0]} and {sizes[1]}"):
            unpack(PackedSpikes(torch.zeros(0, 2**28, dtype=torch.uint8), *sizes))


def test_what_is_no_tensor_is_named():
    packed = pack(torch.ones(2, 1, 4))
    with pytest.raises(InputError, match="uint8 data as a tensor, got ndarray"):
        unpack(packed._replace(data=packed.data.numpy()))


class Elsewhere(torch.Tensor):
    """A tensor that says it is not on the CPU, and that NumPy cannot read."""

    is_cpu = False

    def numpy(self):
        raise TypeError("can't convert a tensor that is elsewhere")


def test_maps_are_unpacked_where_they_lie():
    spikes = (torch.rand(5, 4, 13, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    packed = pack(spikes)
    there = packed._replace(data=packed.data.as_subclass(Elsewhere))
    assert torch.equal(unpack(there).as_subclass(torch.Tensor), spikes)

import numpy as np
import pytest
import torch

from snn_synth import encoding
from snn_synth.encoding import even_encode, latency_encode, low_discrepancy_encode, poisson_encode, sample_keys
from snn_synth.errors import InputError
from snn_synth.functional.encoding import GOLDEN, MULTIPLIERS, keyed_uniform, unit_interval
from snn_synth.kernels import encode as encode_by

RATE_CODES = [poisson_encode, low_discrepancy_encode, even_encode]


def _mix(h):
    h = ((h ^ (h >> 16)) * 0x7FEB352D) % 2**32
    h = ((h ^ (h >> 15)) * 0x846CA68B) % 2**32
    return h ^ (h >> 16)


def _plain_spikes(encode, x, num_steps, max_rate, key):
    """The counters in plain Python integers, one value at a time."""
    spikes = np.zeros((num_steps, len(x)))
    for i, value in enumerate(x):
        counter = _mix(_mix((i + key % 2**32) % 2**32) ^ (key >> 32))
        limit = float(np.float32(value) * np.float32(max_rate)) * 2**24
        for t in range(num_steps):
            if encode is even_encode:  # how often it overflows
                start, step = counter >> 8, int(limit)
                spikes[t, i] = (start + (t + 1) * step) // 2**24 - (start + t * step) // 2**24
            else:
                moved = (counter + t * 0x9E3779B9) % 2**32
                spikes[t, i] = (_mix(moved) if encode is poisson_encode else moved) >> 8 < limit
    return spikes


@pytest.mark.parametrize("encode", RATE_CODES)
def test_bits_equal_a_plain_integer_loop(encode):
    x = torch.linspace(0, 1, 50)
    keys = sample_keys(7, 1, torch.arange(3))
    for max_rate in (0.8, 1.0):
        spikes = encode(x.expand(3, 50), 70, max_rate=max_rate, keys=keys)
        for b in range(3):
            expected = _plain_spikes(encode, x.tolist(), 70, max_rate, keys[b].item())
            np.testing.assert_array_equal(spikes[:, b].numpy(), expected)


def test_numbers_of_the_hash_fit_its_integers():
    for constant, unsigned in zip((*MULTIPLIERS, GOLDEN), (0x7FEB352D, 0x846CA68B, 0x9E3779B9), strict=True):
        assert -(2**31) <= constant < 2**31
        assert constant % 2**32 == unsigned


def test_even_spikes_lie_at_equal_distances():
    x = torch.rand(20, 300, generator=torch.Generator().manual_seed(0))
    spikes = even_encode(x, 97, keys=sample_keys(1, torch.arange(20)))
    counts, rates = spikes.sum(0), 97 * x
    assert ((counts - rates).abs() < 1 + 1e-4).all()
    for b, i in np.ndindex(20, 300):
        gaps = spikes[:, b, i].nonzero().flatten().diff()
        assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


def test_at_any_step_the_rate_so_far_is_near_the_value():
    x = torch.rand(20, 300, generator=torch.Generator().manual_seed(0))
    keys = sample_keys(1, torch.arange(20))
    steps = torch.arange(1, 201)[:, None, None]
    off = {encode: (encode(x, 200, keys=keys).cumsum(0) - steps * x).abs() for encode in RATE_CODES}
    assert off[low_discrepancy_encode].max() < 4  # grows by the logarithm
    assert off[even_encode].max() < 1 + 1e-3
    assert off[poisson_encode].max() > 15  # grows by the root


@pytest.mark.parametrize("encode", [low_discrepancy_encode, even_encode])
def test_on_average_a_value_fires_at_its_rate(encode):
    x = torch.linspace(0, 1, 21)
    spikes = encode(x.expand(40_000, 21), 7, 0.7, keys=sample_keys(2, torch.arange(40_000)))
    rates = spikes.mean(1)  # of each step: no step is better than another
    sigma = (0.7 * x * (1 - 0.7 * x) / 40_000).sqrt()
    assert ((rates - 0.7 * x).abs() <= 4.5 * sigma).all()


def test_an_unknown_code_is_refused():
    with pytest.raises(InputError, match=r"Expected `code` of .*, got 'evn'"):
        encode_by(torch.ones(3), 4, code="evn")


@pytest.mark.parametrize("encode", [low_discrepancy_encode, even_encode])
def test_what_every_rate_code_promises(encode):
    images = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    keys = sample_keys(0, 5, torch.arange(8))
    together = encode(images, 15, keys=keys)
    assert together.shape == (15, 8, 1, 28, 28)
    order = torch.tensor([6, 1, 3])
    assert torch.equal(encode(images[order], 15, keys=keys[order]), together[:, order])
    assert torch.equal(encode(images, 4, keys=keys), together[:4])
    assert torch.equal(encode(images.double(), 15, keys=keys).float(), together)
    for wrong, name in ((images + 1, "values"), (images.mul(torch.nan), "values")):
        with pytest.raises(InputError, match=name):
            encode(wrong, 15)
    with pytest.raises(InputError, match="max_rate"):
        encode(images, 15, 1.5)
    with pytest.raises(InputError, match="keys of shape"):
        encode(images, 15, keys=keys[:3])


def test_spikes_of_a_sample_depend_on_its_key_alone():
    images = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    keys = sample_keys(0, 5, torch.arange(8))
    together = poisson_encode(images, 15, keys=keys)
    order = torch.tensor([6, 1, 3])
    assert torch.equal(poisson_encode(images[order], 15, keys=keys[order]), together[:, order])
    assert torch.equal(poisson_encode(images, 4, keys=keys), together[:4])
    assert torch.equal(poisson_encode(images.double(), 15, keys=keys).float(), together)


def test_rates_and_independence():
    x = torch.full((200, 784), 0.25)
    spikes = poisson_encode(x, 60, keys=sample_keys(0, 0, torch.arange(200)))
    sigma = (0.25 * 0.75) ** 0.5
    centred = (spikes - 0.25) / sigma

    def z(values):  # of a mean of independent values with variance 1
        return abs(values.mean().item() * values.numel() ** 0.5)

    assert z(centred) < 4
    for axis in range(3):
        near, far = (
            centred.narrow(axis, 1, centred.shape[axis] - 1),
            centred.narrow(axis, 0, centred.shape[axis] - 1),
        )
        assert z(near * far) < 4
        counts = centred.sum(axis)
        spread = (counts.square() / centred.shape[axis] - 1) / 2**0.5
        assert z(spread) < 4.5  # no more even and no less than binomial
    other = poisson_encode(x, 60, keys=sample_keys(0, 1, torch.arange(200)))
    assert z(centred * (other - 0.25) / sigma) < 4


def test_zero_never_and_one_always_fires():
    spikes = poisson_encode(torch.tensor([0.0, 1.0]), 5000, generator=torch.Generator().manual_seed(3))
    assert spikes.sum(0).tolist() == [0, 5000]


def test_generator_decides():
    x = torch.full((20, 20), 0.5)
    draws = [poisson_encode(x, 5, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    generator = torch.Generator().manual_seed(1)
    first, second = (poisson_encode(x, 5, generator=generator) for _ in range(2))
    assert not torch.equal(first, second)


def test_a_generator_draws_one_key_of_62_bits_for_all():
    x = torch.rand(3, 40, generator=torch.Generator().manual_seed(0))
    for seed in range(4):
        key = torch.randint(2**62, (1,), generator=torch.Generator().manual_seed(seed))
        expected = poisson_encode(x[None], 5, keys=key)[:, 0]
        assert torch.equal(poisson_encode(x, 5, generator=torch.Generator().manual_seed(seed)), expected)
        torch.manual_seed(seed)
        assert torch.equal(poisson_encode(x, 5), expected)


def test_sample_keys_do_not_collide_and_their_order_matters():
    keys = sample_keys(torch.arange(20)[:, None, None], torch.arange(20)[:, None], torch.arange(2000))
    assert keys.shape == (20, 20, 2000)
    assert keys.unique().numel() == keys.numel()
    assert sample_keys(1, 2) != sample_keys(2, 1)
    assert sample_keys(2**40) != sample_keys(0)


KEYS = [8182232590395065690, 563906929066988532]  # of the seed 0, epoch 3, samples 0 and 1


def test_sample_keys_stay_what_they_were():
    """Else a run would not go on with the spikes that it began with."""
    assert sample_keys(0, 3, torch.arange(2)).tolist() == KEYS
    assert sample_keys(0, 3, 1).tolist() == KEYS[1:]


def test_keys_of_large_and_negative_parts_are_those_of_a_plain_integer_loop():
    parts = [(2**40 + 5, 3), (-1, 2**31), (2**33 - 1, -(2**35)), (7, 2**62 + 2**32 + 1), (2**63 - 1, 0)]
    found = sample_keys(*torch.tensor(parts).T)
    for key, values in zip(found.tolist(), parts, strict=True):
        low = high = 0
        for value in values:
            first, second = value % 2**32, (value >> 32) % 2**32
            low = _mix((_mix((low * 3 + first) % 2**32) + second + 0x9E3779B9) % 2**32)
            high = _mix(_mix((high * 5 + first + 0x9E3779B9) % 2**32) ^ second)
        assert key == (high % 2**31 << 32) + low


def test_uniform_numbers_are_those_of_a_plain_integer_loop():
    keys = sample_keys(torch.arange(3))
    found = keyed_uniform(keys, 4)
    for key, row in zip(keys.tolist(), found.tolist(), strict=True):
        for i, number in enumerate(row):
            assert number == (_mix(_mix(_mix((i + key % 2**32) % 2**32) ^ (key >> 32))) >> 8) / 2**24


def test_a_value_equal_to_its_random_number_does_not_fire():
    keys = sample_keys(torch.arange(5))
    numbers = keyed_uniform(keys, 200)  # those of the first step
    assert not poisson_encode(numbers, 1, keys=keys).any()
    assert poisson_encode(numbers + 2**-24, 1, keys=keys).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_dtype_is_preserved(dtype):
    x = torch.full((3,), 0.5, dtype=dtype)
    assert poisson_encode(x, 2, generator=torch.Generator()).dtype == latency_encode(x, 2).dtype == dtype


def test_latency_is_one_spike_at_the_time_of_the_value():
    x = torch.tensor([1.0, 0.75, 0.5, 0.01, 0.0])
    spikes = latency_encode(x, 9)
    assert spikes.sum(0).tolist() == [1, 1, 1, 1, 0]
    assert spikes.argmax(0).tolist()[:4] == [0, 2, 4, 8]


@pytest.mark.parametrize("num_steps", [1, 8, 51, 255, 256])
def test_steps_of_grey_levels_are_those_of_whole_numbers(num_steps):
    levels = range(256)
    found = encoding.step_times(torch.tensor([level / 255 for level in levels]), num_steps)
    assert found.tolist() == [(255 - level) * num_steps // 255 for level in levels]


@pytest.mark.parametrize("encode", [latency_encode, poisson_encode])
@pytest.mark.parametrize(
    ("x", "num_steps", "message"),
    [
        (torch.tensor([1.5]), 3, r"values in \[0, 1\], got 1.5 to 1.5"),
        (torch.tensor([-0.1, 0.3]), 3, r"values in \[0, 1\], got -0.1 to 0.3"),
        (torch.tensor([float("nan")]), 3, r"values in \[0, 1\], got nan"),
        (torch.tensor([0.5]), 0, "`num_steps` to be at least 1, got 0"),
        (torch.tensor([1]), 3, "floating dtype"),
    ],
)
def test_bad_input_is_named(encode, x, num_steps, message):
    with pytest.raises(InputError, match=message):
        encode(x, num_steps)


def test_bad_rate_and_keys_are_named():
    with pytest.raises(InputError, match="`max_rate`"):
        poisson_encode(torch.zeros(1), 3, max_rate=2)
    with pytest.raises(InputError, match=r"keys of shape \[4\], one per sample, got \[3\]"):
        poisson_encode(torch.zeros(4, 2), 3, keys=torch.zeros(3, dtype=torch.int64))


ENCODERS = {
    "poisson": lambda x: encoding.poisson_encode(x, 3, generator=torch.Generator().manual_seed(0)),
    "latency": lambda x: encoding.latency_encode(x, 3),
    "times": encoding.spike_times,
    "steps": lambda x: encoding.step_times(x, 3),
}


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_what_overshoots_by_rounding_is_clamped(encode, dtype):
    eps = torch.finfo(dtype).eps
    over = torch.tensor([1 + eps, -eps, 0.5], dtype=dtype)
    assert over[0] > 1
    assert torch.equal(encode(over), encode(over.clamp(0, 1)))
    assert over[0] > 1  # the caller's tensor is as it was


def test_the_slack_ends_at_the_rounding_of_half_precision():
    edge = 2.0**-10
    assert unit_interval(torch.tensor([-edge, 1 + edge])).tolist() == [0, 1]
    for value in (-edge * (1 + 1e-6), 1 + edge + 2e-7):
        with pytest.raises(InputError, match=r"Expected values in \[0, 1\], got"):
            unit_interval(torch.tensor([0.5, value]))


def test_values_within_the_interval_and_no_values_are_returned_as_they_are():
    for x in (torch.tensor([0.0, 1.0]), torch.tensor([0.25]), torch.zeros(0)):
        assert unit_interval(x) is x


def test_only_a_graph_that_is_recorded_on_a_gpu_leaves_values_unread(monkeypatch):
    class OnGPU(torch.Tensor):
        is_cuda = True

    wrong = torch.tensor([2.0])
    for recording in (True, False):
        monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda recording=recording: recording)
        with pytest.raises(InputError, match=r"Expected values in \[0, 1\], got 2 to 2"):
            unit_interval(wrong)
        there = wrong.as_subclass(OnGPU)
        if recording:
            assert unit_interval(there) is there
        else:
            with pytest.raises(InputError, match=r"Expected values in \[0, 1\], got 2 to 2"):
                unit_interval(there)


def test_an_image_resized_in_half_precision_is_accepted():
    image = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0)).round()
    resized = torch.nn.functional.interpolate(image.half(), 61, mode="bilinear").float() * 1.0004 - 0.0002
    assert resized.max() > 1
    assert resized.min() < 0
    assert encoding.poisson_encode(resized, 2).shape == (2, *resized.shape)


@pytest.mark.parametrize(("value", "shown"), [(1.002, "0 to 1.002"), (-0.0011, "-0.0011 to 0"), (float("nan"), "nan")])
def test_more_than_rounding_is_refused_with_digits_that_show_it(value, shown):
    with pytest.raises(InputError, match=shown):
        encoding.spike_times(torch.tensor([0.0, value]))

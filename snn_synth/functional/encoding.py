r"""From values in [0, 1] to spike trains: rate codes, counter-based."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_tensor

# As int32: multipliers of a two-round integer hash (found by C. Wellons' search for low bias), and the golden ratio.
MULTIPLIERS = (0x7FEB352D, 0x846CA68B - (1 << 32))
GOLDEN = 0x9E3779B9 - (1 << 32)
UNIFORM_BITS = 24  # what a float32 holds exactly

RateCode = Literal["poisson", "low-discrepancy", "even"]
"""How a rate becomes spikes: at random, at thresholds that cover [0, 1] evenly, or at equal distances."""


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of int32."""
    return (x >> bits) & ((1 << (32 - bits)) - 1)


def _hash32(x: Tensor) -> Tensor:
    """Mix an int32 so that each input bit flips each output bit with probability one half."""
    x = (x ^ _shift(x, 16)) * MULTIPLIERS[0]
    x = (x ^ _shift(x, 15)) * MULTIPLIERS[1]
    return x ^ _shift(x, 16)


def sample_keys(*parts: int | Tensor) -> Tensor:
    """Hash integers such as (seed, epoch, sample index) to one 63-bit key per sample.

    Args:
        parts: integers, or int64 tensors that broadcast against each other.

    Shape:
        the broadcast shape of ``parts``, at least ``[1]``.

    Returns:
        int64 keys for :func:`poisson_encode`: the same parts give the same spikes, on any rank, worker or batch.

    Example:
        >>> a, b = sample_keys(0, 3, torch.arange(4)), sample_keys(0, 3, torch.arange(2, 4))
        >>> bool((a[2:] == b).all()), len(set(a.tolist()))
        (True, 4)
    """
    low = high = torch.zeros((), dtype=torch.int32)  # of no axis: it meets a tensor on a GPU without being sent there
    for part in parts:
        value = torch.as_tensor(part, dtype=torch.int64)
        words = (value & 0xFFFFFFFF).to(torch.int32), (value >> 32).to(torch.int32)
        low = _hash32(_hash32(low * 3 + words[0]) + words[1] + GOLDEN)
        high = _hash32(_hash32(high * 5 + words[0] + GOLDEN) ^ words[1])
    keys = ((high.to(torch.int64) & 0x7FFFFFFF) << 32) | (low.to(torch.int64) & 0xFFFFFFFF)
    return keys if keys.dim() else keys[None]


def keyed_uniform(keys: Tensor, count: int) -> Tensor:
    r"""Uniform random numbers in [0, 1), ``count`` for each key: a hash of (key, position), so no state is kept.

    Args:
        keys: int64, see :func:`sample_keys`.
        count: numbers for each key.

    Shape:
        ``[B]`` to float32 ``[B, count]``.

    Example:
        >>> a, b = keyed_uniform(sample_keys(0, torch.arange(2)), 3), keyed_uniform(sample_keys(0, 1), 3)
        >>> a.shape, bool((a[1] == b[0]).all())
        (torch.Size([2, 3]), True)
    """
    return _shift(_hash32(_stream(keys, count)), 32 - UNIFORM_BITS).to(torch.float32) / (1 << UNIFORM_BITS)


def _stream(keys: Tensor, count: int) -> Tensor:
    """An int32 for each (key, position), ``[B, count]``."""
    position = torch.arange(count, dtype=torch.int32, device=keys.device)
    low, high = (keys & 0xFFFFFFFF).to(torch.int32), (keys >> 32).to(torch.int32)
    return _hash32(_hash32(position + low[:, None]) ^ high[:, None])


def unit_interval(x: Tensor, num_steps: int = 1) -> Tensor:
    """Values in [0, 1]: those that overshoot by rounding are clamped, others refused.

    An image that was resized or mixed in float16 lies up to 1/1024 outside; that is accepted in every dtype (a grey
    level is 1/255), and in bfloat16 the 1/128 that it rounds by.

    Args:
        x: the values.
        num_steps: of the code they are for.

    Returns:
        ``x`` itself, or clamped.

    Raises:
        InputError: for values outside [0, 1], NaN, integers, which may be 0 to 255, or ``num_steps < 1``.

    Example:
        >>> unit_interval(torch.tensor([0.5, 1.0000001])).tolist()
        [0.5, 1.0]
    """
    if not x.is_floating_point():
        raise InputError(f"Expected values in [0, 1] of a floating dtype, got {x.dtype}")
    if num_steps < 1:
        raise InputError(f"Expected `num_steps` to be at least 1, got {num_steps}")
    if not x.numel() or (x.is_cuda and torch.cuda.is_current_stream_capturing()):  # a graph's inputs are not there yet
        return x
    low, high = torch.stack(torch.aminmax(x)).tolist()
    if low >= 0 and high <= 1:
        return x
    slack = max(2**-10, torch.finfo(x.dtype).eps)
    if not (low >= -slack and high <= 1 + slack):  # written so that NaN fails too
        raise InputError(f"Expected values in [0, 1], got {low:.6g} to {high:.6g}")
    return x.clamp(0, 1)


def poisson_encode(
    x: Tensor,
    num_steps: int,
    max_rate: float = 1.0,
    generator: torch.Generator | None = None,
    keys: Tensor | None = None,
) -> Tensor:
    r"""Rate code: at each step a value fires with the probability of its size.

    .. math:: P(A[t, i] = 1) = r_{max}\, x_i

    The random numbers are counter-based: each is a hash of (key, t, position), so the spikes of a sample depend on its
    key alone, not on the batch around it, and every implementation of the hash gives the same bits.

    Args:
        x: values in [0, 1].
        num_steps: T.
        max_rate: probability of a spike per step for a value of 1.
        generator: draws the key of the whole tensor; PyTorch's default generator if neither it nor ``keys`` is given.
        keys: one int64 key per sample (see :func:`sample_keys`); then the first axis of ``x`` is the batch.

    Shape:
        ``x``: ``[*]``; ``keys``: ``[B]``; the result ``[T, *]``, of the dtype of ``x``.

    Returns:
        Spikes, zeros and ones.

    Raises:
        InputError: for values outside [0, 1], ``num_steps < 1``, ``max_rate`` outside [0, 1] or keys of a wrong shape.

    Source:
        Roy, Panda & Roy 2019, section 3.1 and figure 1.

    Example:
        >>> x = torch.tensor([0.0, 0.25, 1.0])
        >>> poisson_encode(x, 1000, generator=torch.Generator().manual_seed(0)).mean(0)
        tensor([0.0000, 0.2340, 1.0000])
    """
    return _encode(x, num_steps, max_rate, generator, keys, "poisson")


def low_discrepancy_encode(
    x: Tensor,
    num_steps: int,
    max_rate: float = 1.0,
    generator: torch.Generator | None = None,
    keys: Tensor | None = None,
) -> Tensor:
    r"""Rate code whose random thresholds cover [0, 1] evenly: at any step, the rate so far is near the value.

    .. math:: A[t, i] = \bigl[u_i + t\varphi \bmod 1 < r_{max}\,x_i\bigr], \qquad \varphi = (\sqrt5 - 1)/2

    where u is one uniform number for each value, a hash of (key, position): a Kronecker sequence with a random start.
    On average a value fires as often as under :func:`poisson_encode`; the number of its spikes is within a few of T
    times its rate (one or two for 15 steps), which grows by the logarithm of T.

    Args:
        x: values in [0, 1].
        num_steps: T.
        max_rate: share of the steps at which a value of 1 fires.
        generator: as in :func:`poisson_encode`.
        keys: as in :func:`poisson_encode`.

    Shape:
        ``x``: ``[*]``; ``keys``: ``[B]``; the result ``[T, *]``, of the dtype of ``x``.

    Returns:
        Spikes, zeros and ones.

    Raises:
        InputError: for what :func:`poisson_encode` refuses.

    Source:
        Niederreiter 1992, Random Number Generation and Quasi-Monte Carlo Methods, chapter 3.

    Example:
        >>> x = torch.tensor([0.0, 0.25, 1.0])
        >>> low_discrepancy_encode(x, 1000, generator=torch.Generator().manual_seed(0)).mean(0)
        tensor([0.0000, 0.2500, 1.0000])
    """
    return _encode(x, num_steps, max_rate, generator, keys, "low-discrepancy")


def even_encode(
    x: Tensor,
    num_steps: int,
    max_rate: float = 1.0,
    generator: torch.Generator | None = None,
    keys: Tensor | None = None,
) -> Tensor:
    r"""Rate code with spikes at equal distances, to a step: what an integrator without a leak fires.

    .. math:: A[t, i] = \lfloor u_i + (t+1)\, r_{max}\,x_i \rfloor - \lfloor u_i + t\, r_{max}\,x_i \rfloor

    where u is one uniform number for each value, a hash of (key, position). On average a value fires as often as under
    :func:`poisson_encode`; the number of its spikes is T times its rate, rounded up or down.

    Args:
        x: values in [0, 1].
        num_steps: T.
        max_rate: share of the steps at which a value of 1 fires.
        generator: as in :func:`poisson_encode`.
        keys: as in :func:`poisson_encode`.

    Shape:
        ``x``: ``[*]``; ``keys``: ``[B]``; the result ``[T, *]``, of the dtype of ``x``.

    Returns:
        Spikes, zeros and ones.

    Raises:
        InputError: for what :func:`poisson_encode` refuses.

    Example:
        >>> even_encode(torch.tensor([0.0, 0.5, 1.0]), 4, generator=torch.Generator().manual_seed(0)).T.tolist()
        [[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]]
    """
    return _encode(x, num_steps, max_rate, generator, keys, "even")


def _encode(
    x: Tensor,
    num_steps: int,
    max_rate: float,
    generator: torch.Generator | None,
    keys: Tensor | None,
    code: RateCode,
) -> Tensor:
    x = as_tensor(x)
    values, keys = rate_inputs(x, num_steps, max_rate, generator, keys)
    return rate_spikes(values, keys, num_steps, max_rate, code).reshape(num_steps, *x.shape)


def rate_inputs(
    x: Tensor, num_steps: int, max_rate: float, generator: torch.Generator | None, keys: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Check what :func:`poisson_encode` was given: values ``[B, P]`` and one key for each of the B."""
    x = unit_interval(x, num_steps)
    if not 0 <= max_rate <= 1:
        raise InputError(f"Expected `max_rate` in [0, 1], got {max_rate}")
    if keys is None:
        device = generator.device if generator is not None else "cpu"
        keys = torch.randint(1 << 62, (1,), generator=generator, device=device)
        samples = x[None]
    elif keys.shape != x.shape[:1]:
        raise InputError(f"Expected keys of shape {list(x.shape[:1])}, one per sample, got {list(keys.shape)}")
    else:
        samples = x
    return samples.reshape(len(samples), math.prod(samples.shape[1:])), keys.to(x.device)


def check_code(code: str) -> None:
    """Raise an InputError for a name that is no :data:`RateCode`."""
    if code not in get_args(RateCode):
        raise InputError(f"Expected `code` of {list(get_args(RateCode))}, got {code!r}")


def rate_spikes(values: Tensor, keys: Tensor, num_steps: int, max_rate: float, code: RateCode = "poisson") -> Tensor:
    """Spikes ``[T, B, P]`` of values ``[B, P]``: one where 24 bits of a counter, or of its hash, are below the value.

    The counter is a hash of (key, position) at first. It moves by the golden ratio at each step, or by the value
    itself: then it overflows, and is below the value, once in so many steps.
    """
    counter = _stream(keys, values.shape[1])
    wide = torch.promote_types(values.dtype, torch.float32)
    limit = values.to(wide) * max_rate * (1 << UNIFORM_BITS)
    pace: int | Tensor = GOLDEN
    if code == "even":
        share = limit.to(torch.int64)
        limit, pace = share.to(wide), (share << (32 - UNIFORM_BITS)).to(torch.int32)
        counter = counter + pace
    spikes = torch.empty((num_steps, *values.shape), dtype=values.dtype, device=values.device)
    for t in range(num_steps):
        uniform = _shift(_hash32(counter) if code == "poisson" else counter, 32 - UNIFORM_BITS)
        spikes[t] = uniform < limit
        counter = counter + pace
    return spikes

r"""Hidden spikes, packed to bits and back (Roy, Panda & Roy 2019, section 4.2)."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_tensor, as_values

__all__ = ["PackedSpikes", "compression_ratio", "pack", "quantize", "repeat_map", "unpack"]


class PackedSpikes(NamedTuple):
    """Spike maps at one bit per neuron and time step.

    ``data`` is uint8 ``[B, ceil(num_steps * neurons / 8)]``: each sample's map, time first, padded to whole bytes.

    Example:
        >>> packed = PackedSpikes(torch.tensor([[172], [64]], dtype=torch.uint8), num_steps=2, neurons=3)
        >>> unpack(packed)[:, 0].tolist()  # 172 is 10101100: two time steps, and two bits that fill the byte
        [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
    """

    data: Tensor
    num_steps: int
    neurons: int


def pack(spikes: Tensor) -> PackedSpikes:
    """Pack spike maps to bits.

    Args:
        spikes: zeros and ones.

    Shape:
        ``[T_h, B, N]``.

    Returns:
        The packed maps; :func:`unpack` gives back exactly ``spikes``.

    Raises:
        InputError: for a wrong shape, or values that are neither 0 nor 1.

    Example:
        >>> packed = pack(torch.tensor([[[1.0, 0.0, 1.0]], [[0.0, 1.0, 1.0]]]))
        >>> packed.data, packed.num_steps
        (tensor([[172]], dtype=torch.uint8), 2)
    """
    spikes = as_tensor(spikes, "spikes")
    if spikes.dim() != 3:
        raise InputError(f"Expected spikes of shape [T_h, B, N], got {list(spikes.shape)}")
    if not ((spikes == 0) | (spikes == 1)).all():
        raise InputError("Expected spikes of 0 and 1, got other values")
    num_steps, _, neurons = spikes.shape
    bits = spikes.detach().to("cpu", torch.bool).transpose(0, 1).flatten(1).numpy()
    return PackedSpikes(torch.from_numpy(np.packbits(bits, axis=1)), num_steps, neurons)


def unpack(packed: PackedSpikes, dtype: torch.dtype = torch.float32) -> Tensor:
    """Unpack spike maps.

    Args:
        packed: what :func:`pack` returned, or part of its samples (``packed._replace(data=packed.data[index])``).
        dtype: of the result.

    Shape:
        the result: ``[T_h, B, N]``.

    Raises:
        InputError: if steps or neurons are no whole numbers of at least 1, or the bytes do not fit the map's shape.

    Example:
        >>> spikes = torch.tensor([[[1.0, 0.0, 1.0]], [[0.0, 1.0, 1.0]]])
        >>> torch.equal(unpack(pack(spikes)), spikes)
        True
    """
    data, num_steps, neurons = packed
    if not all(isinstance(count, Integral) and 1 <= count < 2**31 for count in (num_steps, neurons)):
        raise InputError(f"Expected time steps and neurons of at least 1, got {num_steps!r:.40} and {neurons!r:.40}")
    size = int(num_steps) * int(neurons)
    if not isinstance(data, Tensor):
        raise InputError(f"Expected uint8 data as a tensor, got {type(data).__name__}")
    if data.dim() != 2 or data.dtype != torch.uint8 or data.shape[1] != -(-size // 8):
        raise InputError(
            f"Expected uint8 data of shape [B, {-(-size // 8)}] for maps of {num_steps} x {neurons} bits, "
            f"got {data.dtype} {list(data.shape)}"
        )
    if data.is_cpu:
        bits = torch.from_numpy(np.unpackbits(data.numpy(), axis=1, count=size))
    else:
        places = torch.arange(7, -1, -1, dtype=torch.uint8, device=data.device)
        bits = ((data[:, :, None] >> places) & 1).flatten(1)[:, :size]
    return bits.to(dtype).reshape(len(data), num_steps, neurons).transpose(0, 1)


def quantize(values: Tensor, bits: int) -> Tensor:
    r"""Round to :math:`2^{bits}` levels, evenly spaced from 0 to the largest value.

    .. math:: q = \frac{m}{L} \left\lfloor \frac{L\, x}{m} + \frac12 \right\rfloor, \quad
        L = 2^{bits} - 1, \quad m = \max x

    Args:
        values: hidden vectors of a conventional autoencoder, at least 0.
        bits: of a value, as many as the spike map has time steps.

    Shape:
        any, the result alike.

    Raises:
        InputError: for values below 0, or ``bits`` below 1.

    Source:
        Roy, Panda & Roy 2019, section 4.2.3 (figure 10C), which does not say where its levels lie.

    Example:
        >>> quantize(torch.tensor([0.0, 0.9, 2.0, 3.0]), bits=1)
        tensor([0., 0., 3., 3.])
        >>> quantize(torch.tensor([0.0, 0.9, 2.0, 3.0]), bits=2)
        tensor([0., 1., 2., 3.])
    """
    if bits < 1:
        raise InputError(f"Expected `bits` to be at least 1, got {bits}")
    values = as_values(values)
    if values.numel() == 0:
        return values
    if (values < 0).any():
        raise InputError(f"Expected values of at least 0, got {values.min().item():g}")
    step = values.max().clamp(min=torch.finfo(values.dtype).tiny) / (2.0**bits - 1)
    return (values / step + 0.5).floor() * step


def compression_ratio(num_steps: int, neurons: int = 196, pixels: int = 784, bits_per_pixel: int = 8) -> float:
    r"""How many times smaller than the image its hidden spikes are.

    .. math:: \frac{784 \cdot 8}{196\, T_h}

    Args:
        num_steps: :math:`T_h`, the length of the stored map.
        neurons: hidden neurons.
        pixels: of the image.
        bits_per_pixel: of the image.

    Raises:
        InputError: if ``num_steps`` is below 1.

    Source:
        Roy, Panda & Roy 2019, section 4.2.3.

    Example:
        >>> [round(compression_ratio(t), 1) for t in (15, 10, 5, 2, 1)]
        [2.1, 3.2, 6.4, 16.0, 32.0]
    """
    if num_steps < 1:
        raise InputError(f"Expected `num_steps` to be at least 1, got {num_steps}")
    return pixels * bits_per_pixel / (neurons * num_steps)


def repeat_map(hidden: Tensor, num_steps: int) -> Tensor:
    r"""Show a stored map over and over: ``target[t] = map[t % T_h]``.

    Args:
        hidden: spike maps.
        num_steps: T, the length wanted.

    Shape:
        ``[T_h, B, N]`` to ``[T, B, N]``.

    Raises:
        InputError: if ``num_steps`` or :math:`T_h` is below 1.

    Source:
        Roy, Panda & Roy 2019, section 4.2.3.

    Example:
        >>> repeat_map(torch.tensor([[[0.0]], [[1.0]]]), 5).flatten().tolist()
        [0.0, 1.0, 0.0, 1.0, 0.0]
    """
    if num_steps < 1:
        raise InputError(f"Expected `num_steps` to be at least 1, got {num_steps}")
    hidden = as_tensor(hidden, "spike maps")
    if hidden.dim() == 0 or len(hidden) == 0:
        raise InputError(f"Expected spike maps of shape [T_h, B, N], got {list(hidden.shape)} (T_h >= 1)")
    return hidden.repeat(-(-num_steps // len(hidden)), *[1] * (hidden.dim() - 1))[:num_steps]

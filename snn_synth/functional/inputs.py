"""NumPy arrays, integers and other inputs as the tensors that the equations take."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from snn_synth.errors import InputError

# By the tensor: its version, and what number it held then.
_numbers: Any = WeakTensorKeyDictionary()


def as_tensor(x: Any, name: str = "values") -> Tensor:
    """A tensor, or a NumPy array as a tensor of its dtype.

    Raises:
        InputError: for anything else, and what is not dense or not real.

    Example:
        >>> as_tensor(np.array([0, 1], dtype=np.uint8))
        tensor([0, 1], dtype=torch.uint8)
    """
    if isinstance(x, np.ndarray) and x.dtype.kind in "biuf":
        native = x.dtype.newbyteorder("=") if x.dtype.itemsize < 16 else np.dtype(np.float64)
        x = torch.from_numpy(np.array(x, dtype=native))  # a copy: PyTorch takes no negative strides or read-only memory
    if not isinstance(x, Tensor) or x.is_complex() or x.layout != torch.strided:
        kind = f"a {x.layout} tensor of {x.dtype}" if isinstance(x, Tensor) else _kind(x)
        raise InputError(f"Expected {name} as a dense tensor or NumPy array of real numbers, got {kind}")
    return x


def as_values(x: Any, like: Tensor | None = None, name: str = "values") -> Tensor:
    """A tensor or NumPy array of any real dtype as a tensor of floating dtype; spikes, zeros and ones, stay exact.

    Args:
        x: what was given.
        like: a tensor whose dtype is needed, a weight say; without it floating dtypes stay, and integers and booleans
            become PyTorch's default dtype.
        name: of ``x``, for the error.

    Raises:
        InputError: for anything else.

    Example:
        >>> as_values(np.array([0, 1], dtype=np.uint8)), as_values(torch.tensor([True]), torch.zeros(1).half())
        (tensor([0., 1.]), tensor([1.], dtype=torch.float16))
    """
    given = as_tensor(x, name)
    if like is not None:
        return given.to(like.dtype)
    return given if given.is_floating_point() else given.to(torch.get_default_dtype())


def as_constant(name: str, value: Any) -> Tensor:
    """A finite number, or one for each neuron, as a float64 tensor on the CPU, whatever the default device is.

    Raises:
        InputError: for NaN, infinity and what is no number.

    Example:
        >>> as_constant("alpha", 0.1)
        tensor(0.1000, dtype=torch.float64)
    """
    try:
        kind = torch.as_tensor(value, device="cpu").dtype
        constant = torch.as_tensor(value, dtype=torch.float64, device="cpu").detach().clone()
    except InputError:  # of a bound on the model that is being built, which this value is not to blame for
        raise
    except (TypeError, ValueError, RuntimeError):
        kind = None
    if kind is None or kind == torch.bool or kind.is_complex or not constant.isfinite().all():
        raise InputError(f"Expected `{name}` to be a finite number, or one for each neuron, got {shown(value)}")
    return constant


def shown(value: Any) -> str:
    """A value on one line, of which a tensor's text has many.

    Example:
        >>> shown(torch.ones(2, 1))
        'tensor([[1.], [1.]])'
    """
    return " ".join(repr(value).split())[:100]


def number(x: float | Tensor) -> float:
    """The value of a constant; one on a GPU is read once, for each reading waits for all work before it.

    It is read again when the tensor has changed, unless that was done through its ``.data``.

    Example:
        >>> leak = torch.tensor(0.5)
        >>> number(leak), number(leak.fill_(0.25)), number(0.1)
        (0.5, 0.25, 0.1)
    """
    if not isinstance(x, Tensor) or x.is_cpu or x.is_inference() or torch.compiler.is_compiling():
        return float(x)
    version, value = _numbers.get(x, (None, 0.0))
    if version != x._version:
        value = float(x)
        _numbers[x] = x._version, value
    return float(value)


def positive(name: str, value: Any) -> float:
    """One positive, finite number.

    Raises:
        InputError: for another value.

    Example:
        >>> positive("slope", 2)
        2.0
    """
    try:
        number = as_constant(name, value)
    except InputError:
        number = torch.empty(0)
    if number.numel() != 1:
        raise InputError(f"Expected `{name}` to be positive, got {value!r}, which is not one finite number")
    if not number > 0:
        raise InputError(f"Expected `{name}` to be positive, got {value}")
    return float(number)


def _kind(x: Any) -> str:
    return f"an array of {x.dtype}" if isinstance(x, np.ndarray) else f"{type(x).__name__}"

"""A bound on what a constructor may allocate: sizes in a file are not trusted."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from snn_synth.errors import InputError

_TIMES = 8  # of the weights: initialization draws, scales and adds
_SPARE = 2**24  # values that are no weights: windows, filters
_OPERATIONS = 2_000  # and as many for each weight


class Allocating(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within its block, PyTorch allocates a small multiple of some weights, or InputError is raised before it does.

    Not on the device ``meta``: there a constructor may look at no value, and a neuron checks its own.

    Args:
        weights: numbers of values of the tensors that a file holds.

    Example:
        >>> import torch
        >>> with Allocating([30, 5]):
        ...     layer = torch.nn.Linear(6, 5)
        >>> with Allocating([30, 5]):
        ...     layer = torch.nn.Linear(100_000, 100_000)
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected sizes that fit a file of 35 weights, got a tensor of 10000000000 values
    """

    def __init__(self, weights: Sequence[int]) -> None:
        """Count from zero."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.weights = sum(weights)
        self.left: float = _TIMES * self.weights + _SPARE
        self.operations = _OPERATIONS * (len(weights) + 1)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here, and to import the compiler takes seconds."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Count one operation, and run it."""
        kwargs = kwargs or {}
        self.operations -= 1
        if self.operations < 0:
            raise InputError(f"Expected sizes that fit a file of {self.weights} weights, got far more layers")
        if all(returned.alias_info is None for returned in func._schema.returns):  # else a view, or in place
            values = _values(func, args, kwargs)
            self.left -= values
            if self.left < 0:
                raise InputError(
                    f"Expected sizes that fit a file of {self.weights} weights, got a tensor of {values:.0f} values"
                )
        return func(*args, **kwargs)


def _values(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> float:
    """How many values an operation will return, by its arguments: exactly for new tensors and for what broadcasts."""
    given = {argument.name: value for argument, value in zip(func._schema.arguments, args, strict=False)}
    given.update(kwargs)
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    try:
        values = math.prod(map(float, np.broadcast_shapes(*(tensor.shape for tensor in tensors))))  # torch's is slow
    except ValueError:  # they are put beside each other
        values = float(sum(tensor.numel() for tensor in tensors))
    if "size" in given:  # torch.empty, torch.zeros, ...
        values = math.prod(map(float, given["size"]))
    elif "end" in given:  # torch.arange
        values = abs(float(given["end"]) - float(given.get("start", 0))) / (abs(float(given.get("step", 1))) or 1)
    return values * math.prod(map(float, given.get("repeats", [])))

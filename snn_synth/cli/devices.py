"""The devices of this machine, by the names that PyTorch gives them."""

import torch

from snn_synth.errors import InputError


def find_device(name: str) -> torch.device:
    """A device that is there.

    Raises:
        InputError: for another name; it lists those that are.

    Example:
        >>> find_device("cpu")
        device(type='cpu')
    """
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    there = ["cpu", *(["cuda"] if cuda else []), *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]
    if name not in there:
        raise InputError(f"Expected a device of this machine, {there}, got {name!r}")
    return torch.device(name)

"""Reading a checkpoint from anybody: plain data and tensors, no more memory than the file itself takes."""

import pickle
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from snn_synth.errors import InputError, brief
from snn_synth.parsing import DEPTH, NODES

_STRUCTURE = 2**24  # bytes of a checkpoint without its tensors; ours have some thousand
# What may be named in it. PyTorch's list is longer: `bytearray` and `torch.Tensor` allocate as much as they are told.
_NAMES = {
    "collections OrderedDict",
    "collections Counter",
    "__builtin__ set",
    "__builtin__ complex",
    "_codecs encode",  # as Python 2 wrote bytes
    "torch Size",
    "torch device",
    "torch.nn.parameter Parameter",
    "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_tensor_v2",
    *(f"torch {name}Storage" for name in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char")),
    *(f"torch {name}Storage" for name in ("Byte", "Bool", "ComplexFloat", "ComplexDouble")),
    *(f"torch {name}" for name in ("float16", "bfloat16", "float32", "float64", "int32", "int64", "uint8", "bool")),
}
_CODE = "it is damaged, or holds objects other than tensors and plain data, which could run code"


def load(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Everything that a checkpoint file holds, without running code from it.

    Raises:
        InputError: if there is none, it is damaged, no checkpoint at all, or holds more than plain data and tensors.
    """
    try:
        _check_archive(path)
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
        if isinstance(checkpoint, dict):
            _check_data(checkpoint)
            return checkpoint
        reason = "it holds no dictionary, without `state_dict` and `hyper_parameters`"
    except FileNotFoundError:
        raise InputError(f"Expected a checkpoint at {path}, got no such file") from None
    except InputError as error:
        reason = str(error)
    except pickle.UnpicklingError:
        reason = _CODE
    except Exception as error:  # of zipfile, pickle and PyTorch, for a file that is damaged
        reason = f"damaged or of another kind ({brief(error)})"
    raise InputError(f"Expected a checkpoint of snn_synth, got {path}: {reason}")


def read_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint of ours without running code from it.

    Raises:
        InputError: as :func:`load`, or if it holds no weights or no hyper-parameters.
    """
    checkpoint = load(path, map_location)
    kept = [checkpoint.get(name) for name in ("state_dict", "hyper_parameters")]
    if not all(isinstance(part, dict) for part in kept):
        raise InputError(f"Expected a checkpoint of snn_synth, got {path} without `state_dict` and `hyper_parameters`")
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in checkpoint["state_dict"].items()):
        raise InputError(f"Expected a checkpoint of snn_synth, got {path} with weights that are no tensors")
    return checkpoint


def sizes_of(weights: dict[str, Tensor]) -> list[int]:
    """How many values each tensor really holds: a few may be shown as many."""
    storages = {value.untyped_storage().data_ptr(): value for value in weights.values()}
    return [value.untyped_storage().nbytes() // value.element_size() for value in storages.values()]


def _check_archive(path: str | Path) -> None:
    """Raise InputError unless the file is as ``torch.save`` writes it, and names nothing but what stands in our own."""
    with open(path, "rb") as file:
        first = file.read(4)
    if not first.startswith(b"PK"):
        raise InputError(_CODE if first.startswith(b"\x80") else "damaged or of another kind (it is no archive)")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        names = [member.filename.lower() for member in members]  # PyTorch looks for them so
        structure = [member for member in members if member.filename.lower().endswith("data.pkl")]
        if len(structure) != 1 or len(set(names)) < len(names):
            raise InputError("damaged or of another kind (expected one `data.pkl` in it)")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise InputError("damaged or of another kind (it is compressed, as torch.save never does)")
        if structure[0].file_size > _STRUCTURE:
            raise InputError(f"it has more than {_STRUCTURE:,} bytes of data that are no tensors")
        content = archive.read(structure[0])
    for operation, argument, _ in pickletools.genops(content):
        if operation.name == "STACK_GLOBAL" or (operation.name in ("GLOBAL", "INST") and argument not in _NAMES):
            raise InputError(_CODE)


def _check_data(checkpoint: dict[Any, Any]) -> None:
    """Raise InputError for data that goes on without end when it is followed: a list inside itself, say."""
    nodes = 0
    open_: list[Iterator[Any]] = [iter([checkpoint])]
    while open_:
        value = next(open_[-1], open_)
        if value is open_:
            open_.pop()
            continue
        nodes += 1
        if isinstance(value, dict):
            open_.append(iter([*value.keys(), *value.values()]))
        elif isinstance(value, list | tuple | set):
            open_.append(iter(value))
        if nodes > 10 * NODES or len(open_) > DEPTH:
            raise InputError("its data is nested too deep, or refers to itself")

"""Reading a checkpoint from anybody: plain data and tensors, in time and memory that grow with the file alone."""

import io
import math
import pickle
import pickletools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from snn_synth.errors import InputError, brief
from snn_synth.parsing import DEPTH, NODES

_STRUCTURE = 2**24  # bytes of a checkpoint without its tensors; ours have some thousand
_OPERATION = 16  # an operation of pickle counts as that many bytes of the structure
_SHOWN = 4  # how many times a tensor may be shown: tied weights, and a few copies of a loss
_DIMENSIONS = 64
_CODE = "it is damaged, or holds objects other than tensors and plain data, which could run code"
_LARGE = f"it has more than {_STRUCTURE:,} bytes of data that are no tensors"


def load(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Everything that a checkpoint file holds, without running code from it.

    Raises:
        InputError: if there is none, it is damaged, no checkpoint at all, or holds more than plain data and tensors.
    """
    try:
        checkpoint = torch.load(_checked(path), map_location=map_location, weights_only=True)
        if isinstance(checkpoint, dict):
            _check_data(checkpoint, Path(path).stat().st_size)
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


def _checked(path: str | Path) -> io.BytesIO:
    """The archive, written again: PyTorch's reader of zip may see another one in the same bytes than Python's.

    Raises:
        InputError: unless the file is as ``torch.save`` writes it, and its pickle makes nothing but plain data.
    """
    with open(path, "rb") as file:
        first = file.read(4)
    if not first.startswith(b"PK"):
        raise InputError(_CODE if first.startswith(b"\x80") else "damaged or of another kind (it is no archive)")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        names = [member.filename.lower() for member in members]
        if sum(name.endswith("data.pkl") for name in names) != 1 or len(set(names)) < len(names):
            raise InputError("damaged or of another kind (expected one `data.pkl` in it)")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise InputError("damaged or of another kind (it is compressed, as torch.save never does)")
        if sum(member.file_size for member in members) > Path(path).stat().st_size:
            raise InputError("damaged or of another kind (its parts overlap)")
        parts = {member.filename.partition("/")[2]: member for member in members}
        if parts["data.pkl"].file_size > _STRUCTURE:
            raise InputError(_LARGE)
        structure = archive.read(parts["data.pkl"])
        storages = _Scan(structure, {name: member.file_size for name, member in parts.items()}).storages
        copy = io.BytesIO()
        with zipfile.ZipFile(copy, "w") as again:
            again.writestr("archive/data.pkl", structure)
            for name in ["version", "byteorder", *sorted(storages)]:
                if name in parts:  # files of before PyTorch 2.1 have no byteorder
                    again.writestr(f"archive/{name}", archive.read(parts[name]))
    copy.seek(0)
    return copy


@dataclass
class _Made:
    """What a pickle would make, other than numbers, strings and tuples."""

    kind: str  # or the name of what it calls
    length: int = 0
    plain: bool = True  # every item may be a key


class _Scan:
    """Follows a pickle without making what it describes, as far as ``torch.save`` writes it.

    Raises:
        InputError: if it names what stands in no checkpoint of ours, or copies more than its bounds.
    """

    def __init__(self, structure: bytes, sizes: dict[str, int]) -> None:
        self.sizes = sizes  # of the parts of the archive, in bytes
        self.storages: set[str] = set()
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.bytes = 0
        for operation, argument, _ in pickletools.genops(structure):
            self.count(_OPERATION)
            self.follow(operation.name, argument)

    def count(self, size: int) -> None:
        self.bytes += size
        if self.bytes > _STRUCTURE:
            raise InputError(_LARGE)

    def follow(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "STOP":
                pass
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE" | "SHORT_BINSTRING":
                stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "EMPTY_DICT" | "EMPTY_LIST":
                stack.append(_Made(name.removeprefix("EMPTY_").lower()))
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                size = int(name[-1])
                stack[-size:] = [tuple(stack[-size:])]
            case "TUPLE":
                items = self.to_mark()
                self.stack.append(tuple(items))
            case "MARK":
                self.marked.append(stack)
                self.stack = []
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "APPEND" | "APPENDS":
                items = self.to_mark() if name == "APPENDS" else [stack.pop()]
                self.extend(_of_kind(self.stack[-1], "list"), items)
            case "SETITEM" | "SETITEMS":
                items = self.to_mark() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
                self.extend(_of_kind(self.stack[-1], "dict"), items[::2])
                if not all(_is_key(item) for item in items[::2]):
                    raise InputError(_CODE)
            case "BUILD":  # of the state_dict of a module: its versions
                self.count(_of_kind(stack.pop(), "dict").length * _OPERATION)
                _of_kind(stack[-1], "dict")
            case "GLOBAL" if argument in _NAMES:
                stack.append(_Made(argument))
            case "BINPERSID":
                stack.append(self.storage(*stack.pop()))
            case "REDUCE":
                arguments, made = stack.pop(), stack.pop()
                stack.append(self.call(made.kind, arguments))
            case _:
                raise InputError(_CODE)

    def to_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marked.pop()
        return items

    def extend(self, made: _Made, items: list[Any]) -> None:
        made.length += len(items)
        made.plain = made.plain and all(_is_key(item) for item in items)
        self.count(sum(len(item) for item in items if isinstance(item, str)))

    def storage(self, word: str, kind: _Made, key: str, location: str, length: int) -> _Made:
        part = f"data/{key}"
        if not (isinstance(key, str) and key.isdecimal()) or length * _STORAGES[kind.kind] > self.sizes[part]:
            raise InputError("damaged or of another kind (a tensor is larger than its part of the file)")
        self.storages.add(part)
        return _Made("storage")

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """What a call gives; refused unless it is as pickle writes it."""
        match name, arguments:
            case "collections OrderedDict", ():
                return _Made("dict")
            case "collections Counter", (_Made(kind="dict") as made,):
                self.count(made.length * _OPERATION)
                return _Made("dict", made.length)
            case "__builtin__ set", (_Made(kind="list", plain=True) as made,):
                self.count(made.length * _OPERATION)
                return _Made("set", made.length)
            case "__builtin__ complex", (float(), float()):
                return 0j
            case "_codecs encode", (str() as text, "latin1"):  # bytes
                self.count(len(text))
                return _Made("bytes")
            case "torch Size", (tuple() as size,) if len(size) <= _DIMENSIONS:
                return _Made("size")
            case "torch device", (str(),) | (str(), int()):
                return _Made("device")
            case "torch._utils _rebuild_parameter", (_Made(kind="tensor"), bool(), _Made(kind="dict", length=0)):
                return _Made("tensor")
            case (
                "torch._utils _rebuild_tensor_v2",
                (_Made(kind="storage"), int(), tuple() as size, tuple(), bool(), _Made(kind="dict", length=0)),
            ) if len(size) <= _DIMENSIONS:
                return _Made("tensor")
        raise InputError(_CODE)


def _of_kind(value: Any, kind: str) -> _Made:
    if not isinstance(value, _Made) or value.kind != kind:
        raise InputError(_CODE)
    return value


def _is_key(value: Any) -> bool:
    """Whether it takes no time to look for; longer integers are made to collide easily, and a tuple nests."""
    if isinstance(value, int):
        return value.bit_length() <= 64
    return value is None or isinstance(value, str | float)


_STORAGES = {
    f"torch {name}Storage": size
    for size, names in {
        1: ("Char", "Byte", "Bool"),
        2: ("Half", "BFloat16", "Short"),
        4: ("Float", "Int"),
        8: ("Double", "Long", "ComplexFloat"),
        16: ("ComplexDouble",),
    }.items()
    for name in names
}
# What may be named. PyTorch's list is longer: `bytearray` and `torch.Tensor` allocate as much as they are told.
_NAMES = {
    "collections OrderedDict",
    "collections Counter",  # of MultiStepLR
    "__builtin__ set",
    "__builtin__ complex",
    "_codecs encode",
    "torch Size",
    "torch device",
    "torch._utils _rebuild_parameter",
    "torch._utils _rebuild_tensor_v2",
    *_STORAGES,
    *(f"torch {name}" for name in ("float16", "bfloat16", "float32", "float64", "int32", "int64", "uint8", "bool")),
}


def _check_data(checkpoint: dict[Any, Any], size: int) -> None:
    """Raise InputError for data that goes on without end when it is followed, or tensors larger than their file.

    A list may stand inside itself, and an optimizer copies each tensor as large as it is shown.
    """
    nodes = shown = 0
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
        elif isinstance(value, Tensor):
            own = math.prod(value.shape) * value.element_size()
            shown += own
            if own > value.untyped_storage().nbytes() or shown > _SHOWN * size:
                raise InputError(f"its tensors do not fit a file of {size:,} bytes")
        if nodes > 10 * NODES or len(open_) > DEPTH:
            raise InputError("its data is nested too deep, or refers to itself")

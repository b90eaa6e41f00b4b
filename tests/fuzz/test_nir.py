"""NIR files with damaged parts. Damaged bytes are left out: at one in some hundreds HDF5's C library never returns."""

import contextlib
import io
import json

import h5py
import nir
import numpy as np
import pytest
import torch
from torch import nn

from snn_synth.interop.nir import from_nir, to_nir
from snn_synth.interop.nir_file import KNOWN
from snn_synth.models import AESNN, ConvACSNN, ConvAESNN
from snn_synth.neurons import SigmoidLeaky
from tests.fuzz.harness import FILES, fuzz

NUMBERS = [0, 1, -1, 2, 7, 400, 0.5, -0.0, 1e-45, 1e300, 2**31, 2**62, -(2**62), 10**9, True, 1j]
NUMBERS += [float("nan"), float("inf"), -float("inf")]
TEXTS = [
    "",
    "x",
    "nir",
    "norse",
    "sinabs",
    "spikingjelly",
    "valid",
    "same",
    "1.0",
    "7",
    "{}",
    "[1]",
    "[" * 9999,
    "\ud7ff",
]
TEXTS += sorted(KNOWN)
DTYPES = ["f2", ">f4", "f8", "i1", "u1", "<u8", "i8", "?", "c8", "S5", h5py.string_dtype(), [("a", "f4"), ("b", "i8")]]
SHAPES = [(), (0,), (1,), (2,), (4,), (6,), (0, 0), (1, 1), (4, 6), (6, 4), (1, 1, 1, 1), (4, 2, 3, 3), (1,) * 32]


def parts(file):
    """Names of all groups and data sets."""
    names = []
    file.visit(names.append)
    return names


def number_of(random_):
    return random_.choice(NUMBERS)


def renumbered(text, random_):
    """JSON with one value replaced; another text if it is none."""
    try:
        holder = whole = json.loads(text)
        while isinstance(holder, dict | list) and holder:
            key = random_.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
            if not isinstance(holder[key], dict | list) or random_.random() < 0.2:
                holder[key] = random_.choice(
                    [number_of(random_).real, random_.choice(TEXTS), None, [], [3], [400, 400], [10**6] * 3]
                )
                return json.dumps(whole)
            holder = holder[key]
    except ValueError:
        pass
    return random_.choice(TEXTS)


def replace(group, name, random_):
    """Put another value in the place of one, mostly of its kind."""
    item = group[name]
    value = item[()] if isinstance(item, h5py.Dataset) and item.nbytes < 2**20 else None
    del group[name]
    if isinstance(value, bytes) and random_.random() < 0.7:
        group[name] = renumbered(value, random_)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.size and random_.random() < 0.5:
        value = value.astype(random_.choice([value.dtype, np.float64]))
        with np.errstate(all="ignore"):
            value.flat[random_.randrange(value.size)] = np.asarray(number_of(random_).real).astype(value.dtype)
        group[name] = value
    elif isinstance(value, np.ndarray) and value.dtype.kind == "O" and value.size and random_.random() < 0.7:
        words = [*value.flat, "x", "input", "output"]
        value.flat[random_.randrange(value.size)] = random_.choice(words)
        group[name] = value if random_.random() < 0.7 else value[: random_.randrange(len(value))]
    else:
        group[name] = random_.choice([number_of(random_), random_.choice(TEXTS)])


def reshape(group, name, random_):
    """Another shape, another dtype, nothing at all, or far more than the file holds."""
    del group[name]
    dtype, how = random_.choice(DTYPES), random_.randrange(8)
    if how == 0:
        group[name] = h5py.Empty("f4")
    elif how == 1:
        group.create_dataset(name, (2**20, 2**20), "f4", chunks=(1024, 1024), compression="gzip")
    elif how == 2:
        group.create_dataset(name, random_.choice([(2**22,), (2**11, 2**11)]), "f4", chunks=True, compression="gzip")
    else:
        group.create_dataset(name, random_.choice(SHAPES), dtype if how < 5 else "f4")


def link(group, name, random_):
    """Another place instead: of the file, of one that is missing, of a folder; or a group within itself."""
    places = parts(group.file)
    del group[name]
    how = random_.randrange(8)
    if how == 0:
        group[name] = h5py.SoftLink("/" + random_.choice(places))
    elif how == 1:
        group[name] = h5py.ExternalLink(random_.choice(["missing.nir", "/etc/hostname", "/"]), "/node")
    elif how == 2:
        group[name] = random_.choice([group, group.file["/"]])
    elif how == 3:
        group.create_dataset(name, (4,), "f4", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])
    elif how == 4:
        layout = h5py.VirtualLayout((4,), "f4")
        layout[:] = h5py.VirtualSource("missing.nir", "x", (4,))
        group.create_virtual_dataset(name, layout)
    elif how == 5:
        group[name] = np.dtype("f4")
    elif how == 6:
        group[name] = group.ref
    else:
        group.create_group(name)


def exchange(group, name, random_):
    """A part under another name, or another part in its place."""
    names = parts(group.file)
    if random_.random() < 0.5:
        group.move(name, random_.choice([random_.choice(names).rpartition("/")[2] + "_", "bias", "kernel_size", "x"]))
    elif (other := random_.choice(names)) != f"{group.name}/{name}".strip("/"):
        del group[name]
        if other in group.file:
            group.file.copy(other, group, name)


def remove(group, name, random_):
    del group[name]


def damage(content, random_, words=()):
    """One part changed, or two."""
    data = io.BytesIO(content)
    with h5py.File(data, "r+") as file:
        for _ in range(random_.choice([1, 1, 1, 2])):
            names = parts(file)
            # A deep part mostly, for a damaged group mostly ends it all.
            names = [name for name in names if isinstance(file.get(name), h5py.Dataset)] * 5 + names
            if not names:
                break
            above, _, name = random_.choice(names).rpartition("/")
            change = random_.choice([replace, replace, replace, reshape, link, exchange, remove])
            with contextlib.suppress(ValueError, TypeError, KeyError, RuntimeError, OSError):  # HDF5 takes not all
                change(file[above or "/"], name, random_)
    return data.getvalue()


NETWORKS = {
    "ae": lambda: to_nir(AESNN(6, 4)),
    "conv": lambda: to_nir(ConvACSNN(9, 14, widths=[3, 4], code=6)),
    "conv ae": lambda: to_nir(ConvAESNN((5, 6), widths=[2])),
    "sequential": lambda: to_nir(
        nn.Sequential(
            nn.Conv2d(2, 4, (3, 5), stride=(1, 2), padding=(1, 2)),
            SigmoidLeaky(0.2, init_hidden=True),
            nn.AvgPool2d(2, divisor_override=1),
            nn.Flatten(),
            nn.Linear(32, 3),
            SigmoidLeaky(0.0, 0.5, init_hidden=True),
        ),
        input_shape=(2, 4, 16),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_with_damaged_parts(name, tmp_path, monkeypatch):
    torch.manual_seed(0)
    nir.write(path := tmp_path / "whole.nir", NETWORKS[name]())
    monkeypatch.setattr("tests.fuzz.harness.damage", damage)
    print(fuzz(from_nir, [path.read_bytes()], tmp_path / "damaged.nir", files=FILES // 14))

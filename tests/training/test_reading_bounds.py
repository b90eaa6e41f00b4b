"""What a small checkpoint could cost when it is read: each file here took minutes or gigabytes."""

import collections
import copy
import io
import struct
import time
import zipfile

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, Timer

from snn_synth.errors import InputError
from snn_synth.models import AESNN
from snn_synth.training import LitAutoencoder, ResumeCheckpoint
from snn_synth.training.reading import load
from tests.fuzz.harness import bounded
from tests.training.tiny import TinyImages, quiet_trainer


def refused(path, named):
    start = time.process_time()
    with pytest.raises(InputError, match=named) as caught, bounded():
        load(path)
    assert "\n" not in str(caught.value)
    assert time.process_time() - start < 3


def archive(path, structure, **parts):
    with zipfile.ZipFile(path, "w") as new:
        for name, content in {"data.pkl": structure, "version": b"3\n", "byteorder": b"little", **parts}.items():
            new.writestr(f"archive/{name}", content)
    return path


def string(text):
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def numbers(values):
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"e"


def long(value):
    content = value.to_bytes(value.bit_length() // 8 + 1, "little")
    return b"\x8a" + bytes([len(content)]) + content


NESTED = b"K\x01" + b"q\x01h\x01\x86" * 40  # ((1, 1), (1, 1)), ...
ENCODE = b"c_codecs\nencode\n"
CODE = "objects other than"
STRUCTURES = {  # each the value of a dictionary, after its key
    "the hash of a nested tuple": (b"}" + NESTED + b"K\x01s", CODE),
    "the hash of one in a set": (b"c__builtin__\nset\n](" + NESTED + b"e\x85R", CODE),
    "a codec that takes the square": (ENCODE + string("\u4e00" * 10**6) + string("punycode") + b"\x86R", CODE),
    "copies of a string": (
        string("a" * 10**6) + b"q\x00" + string("latin1") + b"q\x01](" + (ENCODE + b"h\x00h\x01\x86R") * 900 + b"e",
        "bytes of data",
    ),
    "copies of a list": (
        b"]" + numbers(range(10**5)) + b"q\x00" + b"](" + b"c__builtin__\nset\nh\x00\x85R" * 400 + b"e",
        "bytes of data",
    ),
    "copies of a dictionary": (
        b"}(" + b"".join(b"J" + struct.pack("<i", i) + b"N" for i in range(10**5)) + b"uq\x00"
        + b"](" + b"ccollections\nOrderedDict\n)Rh\x00b" * 400 + b"e",
        CODE + "|bytes of data",
    ),
    "numbers with one hash": (
        b"}(" + b"".join(long(i * (2**61 - 1) << 61) + b"N" for i in range(1, 50_000)) + b"u",
        CODE,
    ),
    "long keys that are equal": (
        b"}" + string("a" * 10**6) + string("a" * 10**6) + b"q\x00s(" + b"h\x00N" * 10**5 + b"u",
        "bytes of data",
    ),
    "an ordered dictionary with items": (b"ccollections\nOrderedDict\n]\x85R", CODE),
    "a protocol that we do not write": (b"\x8c\x01a", CODE),
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_pickle_takes_no_more_than_its_bytes(name, tmp_path):
    value, named = STRUCTURES[name]
    refused(archive(tmp_path / "a.ckpt", b"\x80\x02}K\x02" + value + b"s."), named)


def storage(key, length):
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n((" + string("storage") + b"ctorch\nFloatStorage\n" + key + string("cpu")
        + b"J" + struct.pack("<i", length) + b"tQK\x00K\x01\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
    )  # fmt: skip


def test_a_storage_is_no_larger_than_its_part(tmp_path):
    """PyTorch would read what stands behind it in memory."""
    head, part = b"\x80\x02}K\x02", {"data/0": bytes(16)}
    assert load(archive(tmp_path / "a.ckpt", head + storage(string("0"), 4) + b"s.", **part))[2].shape == (1,)
    refused(archive(tmp_path / "b.ckpt", head + storage(string("0"), 10**6) + b"s.", **part), "larger than its part")
    refused(archive(tmp_path / "c.ckpt", head + storage(b"K\x00", 4) + b"s.", **part), "larger than its part")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    keep = [ResumeCheckpoint(), ModelCheckpoint(folder, monitor="train/loss"), Timer(), EarlyStopping("train/loss")]
    trainer = quiet_trainer(folder, max_epochs=1, callbacks=keep)
    trainer.fit(LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages())
    return folder / "resume.ckpt"


def test_an_optimizer_is_shown_no_larger_than_the_file(whole, tmp_path):
    """Optimizer.load_state_dict copies what its parameters do not match, in full."""
    large = torch.zeros(10**4)
    for name, value in {
        "expanded": torch.zeros(1, dtype=torch.float64).expand(10**9),
        "shared": [large] * 1000,
        "views": [large[i:] for i in range(1000)],
    }.items():
        content = torch.load(whole, weights_only=True)
        content["optimizer_states"][0]["state"][0]["exp_avg"] = value
        torch.save(content, tmp_path / f"{name}.ckpt")
        assert (tmp_path / f"{name}.ckpt").stat().st_size < 10**6
        refused(tmp_path / f"{name}.ckpt", "its tensors do not fit a file of")


def test_parts_that_overlap_are_refused(tmp_path):
    """One part, listed many times."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as new:
        new.writestr("archive/data.pkl", b"\x80\x02}.")
        new.writestr("archive/data/0", bytes(10**5))
        for index in range(1, 100):
            again = copy.copy(new.getinfo("archive/data/0"))
            again.filename = f"archive/data/{index}"
            new.filelist.append(again)
    (tmp_path / "a.ckpt").write_bytes(content.getvalue())
    refused(tmp_path / "a.ckpt", "its parts overlap")


def test_two_archives_in_one_file(whole, tmp_path):
    """PyTorch counts offsets from the start of the file, Python's zipfile from where the list of parts says it does."""
    small, large = torch.load(whole, weights_only=True), torch.load(whole, weights_only=True)
    large["state_dict"]["more"] = torch.zeros(5 * 10**7, dtype=torch.uint8)
    parts = {}
    for name, content in {"large": large, "small": small}.items():
        torch.save(content, file := io.BytesIO())
        with zipfile.ZipFile(file) as source:
            parts[name] = {part: source.read(part) for part in source.namelist()}
    parts["small"] = {part: parts["small"].get(part, b"") for part in parts["large"]}

    def split(content, compression):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression, compresslevel=1) as new:
            for part, data in content.items():
                new.writestr(part, data)
        raw = file.getvalue()
        size, offset = struct.unpack("<II", raw[-10:-2])
        return raw[:offset], bytearray(raw[offset : offset + size])

    body_large, list_large = split(parts["large"], zipfile.ZIP_DEFLATED)
    body_small, list_small = split(parts["small"], zipfile.ZIP_STORED)
    assert len(list_large) == len(list_small)
    at, shift = 0, len(body_large) - len(body_small)  # of the small one's offsets, as Python counts them
    while at < len(list_small):
        lengths = struct.unpack("<HHH", list_small[at + 28 : at + 34])
        (offset,) = struct.unpack("<I", list_small[at + 42 : at + 46])
        list_small[at + 42 : at + 46] = struct.pack("<I", offset + shift)
        at += 46 + sum(lengths)
    end = (0, 0, len(parts["large"]), len(parts["large"]), len(list_small), len(body_large), 0)
    path = tmp_path / "two.ckpt"
    path.write_bytes(body_large + list_large + body_small + list_small + b"PK\5\6" + struct.pack("<HHHHIIH", *end))
    assert torch.load(path, weights_only=True, mmap=False)["state_dict"]["more"].numel() == 5 * 10**7
    with bounded():
        assert load(path)["state_dict"].keys() == small["state_dict"].keys()


def same(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def test_whole_files_are_read_as_pytorch_reads_them(whole, tmp_path):
    assert same(load(whole), torch.load(whole, weights_only=True))
    weight = torch.nn.Linear(3, 2).weight
    content = {
        "state_dict": torch.nn.Linear(3, 2).state_dict(),
        "counter": torch.optim.lr_scheduler.MultiStepLR(torch.optim.SGD([weight]), [2, 2, 5]).state_dict(),
        "parameter": weight,
        "shared": [weight.detach(), weight.detach().T],
        "dtypes": [torch.zeros(3, dtype=dtype) for dtype in (torch.bool, torch.int16, torch.float16, torch.complex64)],
        "empty": torch.zeros(0, 3),
        "values": [b"x\xff", {1, "a"}, 1 + 2j, torch.Size([1, 2]), torch.device("cpu"), torch.float32, 2**70, -1, None],
        "ordered": collections.OrderedDict(a=1, b=(1, 2, (3, 4, 5, 6))),
        1.5: {True: (), 2**40: [[]]},
    }
    torch.save(content, tmp_path / "a.ckpt")
    assert same(load(tmp_path / "a.ckpt"), torch.load(tmp_path / "a.ckpt", weights_only=True))
    assert load(tmp_path / "a.ckpt")["state_dict"]._metadata == content["state_dict"]._metadata

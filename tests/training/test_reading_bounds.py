"""What a small checkpoint could cost when it is read: each file here took minutes or gigabytes."""

import collections
import copy
import functools
import io
import struct
import time
import zipfile

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, Timer

from snn_synth.errors import InputError
from snn_synth.models import AESNN
from snn_synth.training import LitAutoencoder, ResumeCheckpoint, reading
from snn_synth.training.reading import load, read_checkpoint, sizes_of
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
    "the hash of one in a set that grows": (b"c__builtin__\nset\n](" + NESTED + b"eK\x01a\x85R", CODE),
    "the hash of a second key": (b"}(K\x01N" + NESTED + b"Nu", CODE),
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
    "more operations than bytes are allowed": (b"](" + b"N" * 2**20 + b"e", "bytes of data"),
    "items that are appended to a dictionary": (b"}K\x01a", CODE),
    "a call of what takes nothing": (b"ctorch\nSize\nK\x01\x85R", CODE),
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


ORDERED = b"ccollections\nOrderedDict\n)R"
COSTS = {  # a pickle, its operations, and what it copies
    "nothing": (b"}", 1, 0),
    "keys that are texts, not values": (
        b"}(" + string("abc") + string("values") + string("de") + b"K\x02" + string("fghi") + b"K\x03u",
        9,
        3 + 2 + 4,
    ),
    "one key": (b"}" + string("abc") + string("values") + b"s", 4, 3),
    "texts in a list": (b"](" + string("abc") + b"N" + string("de") + b"e", 6, 5),
    "versions of a module": (ORDERED + b"}(" + b"K\x01NK\x02NK\x03N" + b"ub", 3 + 2 + 6 + 2, 3 * 16),
    "a counter": (b"ccollections\nCounter\n}(K\x01NK\x02Nu\x85R", 3 + 4 + 3, 2 * 16),
    "a set": (b"c__builtin__\nset\n](K\x01K\x02K\x03e\x85R", 3 + 3 + 3, 3 * 16),
    "bytes": (ENCODE + string("abcdefg") + string("latin1") + b"\x86R", 5, 7),
}


@pytest.mark.parametrize("name", COSTS)
def test_a_pickle_costs_its_operations_and_what_it_copies(name, monkeypatch):
    """Each operation counts as 16 bytes; the last that may be spent is still spent."""
    content, operations, copied = COSTS[name]
    structure = b"\x80\x02" + content + b"."
    cost = 16 * (operations + 2) + copied
    monkeypatch.setattr(reading, "_STRUCTURE", cost)
    assert reading._Scan(structure, {}).bytes == cost
    monkeypatch.setattr(reading, "_STRUCTURE", cost - 1)
    with pytest.raises(InputError, match="bytes of data"):
        reading._Scan(structure, {})


def tensor(kind, length, dimensions):
    """A tensor of a storage, as a pickle without what frames it."""
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n((" + string("storage") + b"ctorch\n" + kind.encode() + b"Storage\n"
        + string("0") + string("cpu") + b"J" + struct.pack("<i", length) + b"tQK\x00(" + b"K\x01" * dimensions
        + b"t(" + b"K\x01" * dimensions + b"t\x89" + ORDERED + b"tR"
    )  # fmt: skip


KINDS = {  # bytes of a number, as torch.save names them
    **{"Char": 1, "Byte": 1, "Bool": 1, "Half": 2, "BFloat16": 2, "Short": 2, "Float": 4, "Int": 4},
    **{"Double": 8, "Long": 8, "ComplexFloat": 8, "ComplexDouble": 16},
}


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_each_kind_have_their_size(kind):
    size = KINDS[kind]
    fits = b"\x80\x02" + tensor(kind, 512 // size, 1) + b"."
    assert reading._Scan(fits, {"data/0": 512}).storages == {"data/0"}
    with pytest.raises(InputError, match="larger than its part"):
        reading._Scan(b"\x80\x02" + tensor(kind, 512 // size + 1, 1) + b".", {"data/0": 512})


def test_no_tensor_has_more_than_64_dimensions():
    for made in (
        functools.partial(tensor, "Float", 1),
        lambda count: b"ctorch\nSize\n(" + b"K\x01" * count + b"t\x85R",
    ):
        reading._Scan(b"\x80\x02" + made(64) + b".", {"data/0": 4})
        with pytest.raises(InputError, match=CODE):
            reading._Scan(b"\x80\x02" + made(65) + b".", {"data/0": 4})


@pytest.mark.parametrize("structure", [b"]}b", b"]" + ORDERED + b"b", ORDERED + b"]b", b"N2"])
def test_only_dictionaries_are_given_a_state_and_nothing_is_made_twice(structure):
    """PyTorch refuses it too, but only once it has come so far."""
    with pytest.raises(InputError, match=CODE):
        reading._Scan(b"\x80\x02" + structure + b".", {})


def test_a_part_is_named_by_a_number(tmp_path):
    named = archive(
        tmp_path / "a.ckpt", b"\x80\x02}K\x02" + storage(string("abc"), 4) + b"s.", **{"data/abc": bytes(16)}
    )
    refused(named, "larger than its part")


@pytest.mark.parametrize(
    ("value", "found"),
    [(2**64 - 1, True), (2**64, False), (-(2**64), False), (None, True), ("a", True), (1.5, True), ((1,), False)],
)
def test_keys_take_no_time_to_look_for(value, found):
    assert reading._is_key(value) == found


def test_a_structure_may_be_as_large_as_its_bound(tmp_path):
    head, tail = b"\x80\x02}K\x02X", b"s."
    text = b"a" * (2**24 - len(head) - 4 - len(tail))
    fits = archive(tmp_path / "a.ckpt", head + struct.pack("<I", len(text)) + text + tail)
    assert len(load(fits)[2]) == len(text)
    refused(archive(tmp_path / "b.ckpt", head + struct.pack("<I", len(text) + 1) + text + b"a" + tail), "bytes of data")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [["a/data/0"] * 2, ["a/data/0", "A/DATA/0"], ["a/data.pkl"], ["b/data.pkl"]])
def test_a_part_that_is_there_twice_is_refused(names, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.ckpt", "w") as new:
        for name in ["a/data.pkl", *names]:
            new.writestr(name, b"\x80\x02}.")
    refused(tmp_path / "a.ckpt", "expected one `data.pkl` in it")


def test_values_are_counted_and_how_deep_they_lie(monkeypatch):
    monkeypatch.setattr(reading, "NODES", 10)  # a tenth of what is followed
    reading._check_data({"a": [0] * 97}, 0)  # the dictionary, its key, the list, and 97
    for many in ({"a": [0] * 98}, {"a": (0,) * 98}, {"a": {*range(98)}}, dict.fromkeys(range(50), 0)):
        with pytest.raises(InputError, match="nested too deep, or refers to itself"):
            reading._check_data(many, 0)
    monkeypatch.setattr(reading, "DEPTH", 5)  # the first of which is the checkpoint's own, around its dictionary
    reading._check_data({"a": [[[0]], [[0]]], "b": [[[0]]]}, 0)
    with pytest.raises(InputError, match="nested too deep, or refers to itself"):
        reading._check_data({"a": [[[[0]]]]}, 0)


def test_tensors_are_shown_at_most_four_times_as_large_as_the_file():
    content = {"a": [torch.zeros(50), torch.zeros(25, 2, dtype=torch.float64)]}  # 200 and 400 bytes
    reading._check_data(content, 150)
    with pytest.raises(InputError, match="its tensors do not fit a file of 149 bytes"):
        reading._check_data(content, 149)
    with pytest.raises(InputError, match="its tensors do not fit a file of 1,000 bytes"):
        reading._check_data({"a": torch.zeros(1).expand(2)}, 1000)
    assert sizes_of({"a": torch.zeros(1).expand(9), "b": torch.zeros(6, dtype=torch.float64)[:2]}) == [1, 6]


@pytest.mark.parametrize("weights", [{1: torch.zeros(2)}, {"a": 3.0}])
def test_weights_are_tensors_with_names(weights, tmp_path):
    torch.save({"state_dict": weights, "hyper_parameters": {}}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="with weights that are no tensors"):
        read_checkpoint(tmp_path / "a.ckpt")


def test_pytorch_is_told_to_run_no_code_either(whole, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "load", lambda *_, **settings: asked.append(settings) or {})
    load(whole, "cpu")
    assert asked == [{"map_location": "cpu", "weights_only": True}]

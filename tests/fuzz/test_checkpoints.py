"""Damaged checkpoints, as `snn-synth synthesize` reads them: their bytes, and the values inside of a whole file."""

import copy
import random
import warnings

import pytest
import torch

from snn_synth.data import MelSpectrogram, build_front_end
from snn_synth.errors import InputError
from snn_synth.experiments.synthesis import load
from snn_synth.models import ACSNN, AESNN
from snn_synth.training import LitAudiocoder
from tests.cli.conftest import save
from tests.fuzz.harness import FILES, SEED, bounded, fuzz

WORDS = [b"snn_synth.models.ACSNN", b"init_args", b"class_path", b"FloatStorage", b"_rebuild_tensor_v2", b"cpu"]
VALUES = [
    *(
        0,
        -1,
        1,
        3.5,
        2**31,
        2**62,
        2**70,
        10**9,
        float("nan"),
        float("inf"),
        True,
        None,
        "",
        "x",
        b"x",
        (),
        [],
        {},
        {1: 2},
    ),
    [10**6] * 3,
    {"class_path": "os.system", "init_args": {"command": "false"}},
    {"class_path": "snn_synth.models.AESNN", "init_args": {"inputs": 10**5, "hidden": 10**5}},
    {"model": "AESNN", "arguments": {"inputs": 10**5, "hidden": 10**5}},
    {"model": "AudioToImage", "arguments": {"audiocoder": {"model": "ACSNN", "arguments": {}}}},
    torch.zeros(3),
    torch.zeros(()).expand(2**14, 2**14),
    torch.zeros(2, 2, dtype=torch.complex64),
    torch.tensor(float("nan")),
]


@pytest.fixture
def whole(tmp_path):
    module = LitAudiocoder(ACSNN(80, 6, 12), num_steps=9)
    module.front_end = MelSpectrogram(channels=8, frames=10).config()
    module.adopt(AESNN(784, 12))
    return save(module, tmp_path / "whole.ckpt")


def read(path):
    model = load(str(path)).model
    if model.front_end is not None:
        build_front_end(model.front_end)


def test_bytes(whole, tmp_path):
    fuzz(read, [whole.read_bytes()], tmp_path / "damaged.ckpt", words=WORDS)


def mutate(value, random_):
    """A copy with one to three values changed, left out, doubled or exchanged, at any depth."""
    value = copy.deepcopy(value)
    for _ in range(random_.randint(1, 3)):
        holder = value
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = random_.choice(keys)
            inside = holder[key]
            if isinstance(inside, dict | list) and inside and random_.random() < 0.75:
                holder = inside
                continue
            change = random_.randrange(5)
            if change == 0:
                holder.pop(key)
            elif change == 1 and isinstance(holder, dict):
                holder[random_.choice(["network", "front_end", "model", "hidden", "x", 7])] = holder.pop(key)
            elif change == 2:
                holder[key] = holder[random_.choice(keys)]
            elif change == 3 and isinstance(inside, torch.Tensor):
                holder[key] = inside.reshape(-1)[:7].clone()
            else:
                holder[key] = random_.choice(VALUES)
            break
    return value


def test_values(whole, tmp_path):
    content, random_ = torch.load(whole, weights_only=True), random.Random(SEED)
    counts = {"values": 0, "errors": 0}
    for index in range(FILES // 3):
        torch.save(mutate(content, random_), tmp_path / "other.ckpt")
        try:
            with bounded(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(tmp_path / "other.ckpt")
            counts["values"] += 1
        except InputError:
            counts["errors"] += 1
        except BaseException as error:
            raise AssertionError(f"file {index}: {type(error).__name__}: {error}") from error
    print(counts)
    assert min(counts.values()) > 0

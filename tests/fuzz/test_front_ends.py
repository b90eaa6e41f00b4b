import contextlib
import json
import math
import warnings

import torch

from snn_synth.data import LyonCochleagram, MelSpectrogram, build_front_end
from snn_synth.errors import InputError
from tests.fuzz.harness import bounded, fuzz

WORD = torch.sin(2 * torch.pi * 500 * torch.arange(400) / 8000)
SEEDS = [json.dumps(kind().config(), indent=1).encode() for kind in (MelSpectrogram, LyonCochleagram)]
NAMES = sorted({name for kind in (MelSpectrogram, LyonCochleagram) for name in kind().config()["init_args"]})
WORDS = [
    *(f'"{name}": '.encode() for name in NAMES),
    *(
        b"1e308",
        b"1e-308",
        b"NaN",
        b"-Infinity",
        b"null",
        b"true",
        b'"a\\nb"',
        b"[]",
        b"{}",
        b"0",
        b"1000000",
        b"99999",
    ),
]


def read(path):
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return  # no JSON: whoever reads the file says so
    build_front_end(config)(WORD, 8000)


def test_configs(tmp_path):
    build_front_end(json.loads(SEEDS[1]))(WORD, 8000)  # compiles
    counts = fuzz(read, SEEDS, tmp_path / "config.json", words=WORDS)
    assert min(counts.values()) > 0


def test_absurd_settings():
    values = [
        0,
        -1,
        1,
        10**4,
        10**6,
        10**400,
        0.5,
        1e-300,
        1e300,
        "8000",
        None,
        True,
        [],
        {},
        "a\nb",
        math.nan,
        math.inf,
    ]
    for seed in SEEDS:
        config = json.loads(seed)
        for name in config["init_args"]:
            for value in values:
                changed = {**config, "init_args": {**config["init_args"], name: value}}
                with contextlib.suppress(InputError), bounded(), warnings.catch_warnings(action="ignore"):
                    assert build_front_end(changed)(WORD, 8000).isfinite().all(), (name, value)

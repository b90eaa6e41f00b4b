import contextlib
import json
import random
import warnings
from math import inf, nan

import torch

from snn_synth.data import LyonCochleagram, MelSpectrogram, build_front_end
from snn_synth.errors import InputError
from tests.fuzz.harness import FILES, SEED, bounded, fuzz

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


def test_settings_of_other_kinds_and_absurd_sizes():
    values = [0, -1, 1, 3, 10**4, 10**6, 10**400, 0.5, 1e-300, 1e300, "8000", None, True, [], {}, "a\nb", nan, inf]
    random_ = random.Random(SEED)
    for _ in range(FILES):
        config = json.loads(random_.choice(SEEDS))
        for name in random_.sample(sorted(config["init_args"]), random_.choice([1, 1, 2, 3])):
            config["init_args"][name] = random_.choice(values)
        with contextlib.suppress(InputError), bounded(), warnings.catch_warnings(action="ignore"):
            picture = build_front_end(config)(WORD, 8000)
            assert picture.isfinite().all(), config

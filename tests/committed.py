"""Numbers that are committed with the repository, for the tests of the pages that quote them."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

from snn_synth.keys import same

ROOT = Path(__file__).parents[1]
RESULTS, BENCHMARKS = "docs/results/{}/metrics.json", "benchmarks/results/{}.json"
ERROR = "test/standardized_mse"
XEON, EPYC, AVX2, H200 = "xeon-amx-2-cores", "epyc-2-cores", "epyc-avx2-2-cores", "nvidia-h200"
NUMBER = r"(\d+(?:[.,]\d+)?)"
Quoted = Mapping[str, Callable[[], list[float]]]
"""What a page says, a pattern with a group for each number -> the numbers that the committed files hold."""


@cache
def read(name: str) -> Any:
    return json.loads((ROOT / name).read_text())


def each(name: str, *keys: str) -> list[float]:
    """The numbers at a path of keys in a committed file; `*` stands for all keys of its level."""
    places = [read(name)]
    for key in keys:
        places = [place for one in places for place in (one.values() if key == "*" else [one[same(key, one)[0]]])]
    return places


def at(name: str, *keys: str) -> float:
    """Their mean."""
    return mean(each(name, *keys))


def error(experiment: str, variant: str) -> float:
    return at(RESULTS.format(experiment), "variants", variant, ERROR, "mean")


def faster(machine: str, workload: str, beside: str, ours: str = "ours") -> float:
    seconds = [
        at(BENCHMARKS.format(machine), "workloads", workload, "implementations", implementation, "median")
        for implementation in (beside, ours)
    ]
    return seconds[0] / seconds[1]


def check(says: str, text: str, quoted: Quoted) -> None:
    """The text says it once, with the committed numbers, rounded to as many digits."""
    found = re.findall(says, text)
    assert len(found) == 1, "said once"
    words = [word.replace(",", "") for word in ([found[0]] if isinstance(found[0], str) else found[0])]
    numbers = quoted[says]()
    assert words == [f"{n:.{len(w.partition('.')[2])}f}" for w, n in zip(words, numbers, strict=True)]

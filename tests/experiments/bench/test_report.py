import importlib.util
import json
import re
from pathlib import Path

import pytest

from snn_synth.experiments.bench import report

ROOT = Path(__file__).parents[3]


@pytest.fixture
def page():
    """The module benchmarks/report.py."""
    return script("report")


def script(name):
    """A module of benchmarks/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def timing(median: float, **more) -> dict:
    return {"check": [14.0], "median": median, "min": median / 2, "max": 2 * median, "warm_up": 1.0, "rounds": 5} | more


def record(**implementations) -> dict:
    return {
        "rule": "bptt",
        "sizes": [784, 196, 784],
        "num_steps": 15,
        "batch": 100,
        "rates": {"input": 0.13, "hidden": 0.2, "output": 0.06, "masked_errors": 0.1},
        "load_average": 0.5,
        "floor": {"flops": 2304960000, "adam_bytes": 8605184, "peak_flops": 100e9, "bandwidth": 20e9, "seconds": 0.02},
        "implementations": implementations,
        "poisson_encode": timing(0.003),
    }


@pytest.fixture
def metrics() -> dict:
    """A record whose ratios are plain: ours takes 30 ms, snnTorch 90, sinabs 60; the floor is 20."""
    return {
        "command": "snn-synth bench",
        "device": "cpu",
        "machine": {
            "cpu": "A CPU",
            "flags": {"avx2": True, "amx_bf16": False},
            "cores": 2,
            "threads": 2,
            "memory_gb": 24.0,
            "load_average": 0.1,
            "system": "Linux x86_64",
        },
        "versions": {"python": "3.11", "torch": "2.13.0"},
        "data": "MNIST, 60,000 training images",
        "not_installed": ["norse"],
        "workloads": {
            "bptt-784-196-784": record(
                snntorch=timing(0.09, peak_bytes=300e6, grown_bytes=50e6),
                sinabs=timing(0.06),
                compile={"error": "RuntimeError: no compiler"},
                ours=timing(0.03, peak_bytes=260e6, grown_bytes=10e6),
            ),
            "online-784-1024-784": record(naive=timing(20.0, scaled_by=20.0), ours=timing(1.0))
            | {"rule": "online", "poisson_encode": timing(0.3)},
        },
        "precision": {
            "bptt-784-196-784": {
                "reference": timing(0.06, gradient_errors=[2e-7, 3e-7], changed_spikes=0.0),
                "bfloat16": timing(0.02, gradient_errors=[0.03, 0.04], changed_spikes=0.005),
            }
        },
        "growth": [
            {
                "axis": "batch B",
                "rule": "online",
                "implementation": "ours",
                "network": "784-196-784, T=15, B=N",
                "x": [25, 50],
                "seconds": [0.1, 0.2],
                "grown_bytes": [1e6, 2e6],
                "slopes": {"seconds": 1.0, "grown_bytes": None},
            }
        ],
    }


def cells(text: str, first: str) -> list[str]:
    """The row of a markdown table that begins so."""
    [line] = [line for line in text.splitlines() if line.startswith(f"| {first} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_workload_has_ratios_to_the_first_and_to_the_floor(metrics):
    text = report.workload("bptt-784-196-784", metrics["workloads"]["bptt-784-196-784"])
    assert cells(text, "snn_synth") == ["snn_synth", "30", "15 - 60", "3.00", "1.50", "260, 10"]
    assert cells(text, "snnTorch")[3:5] == ["1.00", "4.50"]
    assert cells(text, "torch.compile")[1] == "not timed"
    assert "- torch.compile of that loop: RuntimeError: no compiler" in text
    assert "2.30 GF at 100 GF/s + 8.6 MB of Adam at 20.0 GB/s = 20 ms" in text


def test_the_bounds_beside_what_was_measured(metrics):
    text = report.bounds(metrics)
    assert cells(text, "bptt-784-196-784, x snnTorch")[1:] == ["3.00x", "at least 2.3x", "at least 3.2x", "9x", "yes"]
    assert cells(text, "bptt-784-196-784, x the fastest library")[1] == "2.00x"
    assert cells(text, "bptt-784-196-784, x float32 floor")[1:] == [
        "1.50x",
        "at most 1.5x",
        "at most 1.6x",
        "1.2x",
        "yes",
    ]
    assert cells(text, "online-784-1024-784, x naive traces")[1:] == [
        "20.00x",
        "at least 9x",
        "at least 12x",
        "30x",
        "yes",
    ]
    assert cells(text, "bptt-784-196-784, Poisson input")[1] == "10.00 %"
    assert cells(text, "online-784-1024-784, Poisson input")[1::4] == ["30.00 %", "no"]
    assert "58500" not in text, "what was not measured has no row"


def test_the_second_column_counts_where_there_is_amx(metrics):
    metrics["machine"]["flags"]["amx_bf16"] = True
    text = report.bounds(metrics)
    assert cells(text, "bptt-784-196-784, x snnTorch")[1::4] == ["3.00x", "no"]
    assert cells(text, "online-784-1024-784, x naive traces")[-1] == "yes"


def test_precision_growth_and_poisson(metrics):
    text = report.tables(metrics)
    assert "| bptt-784-196-784 | bfloat16           | 20 | 3.00        | 3.0e-02, 4.0e-02" in text
    assert cells(text, "batch B: 25 to 50")[2:] == ["snn_synth, online", "1.00", "-", "100 to 200", "1 to 2"]
    assert "A CPU, 2 cores, 2 used, 24.0 GB, avx2; without amx_bf16" in text
    assert "not installed, so not measured: norse" in text


def test_first_seconds_and_waiting(metrics):
    metrics["first_seconds"] = {
        "import torch": {"cold": timing(1.5), "warm": timing(1.25)},
        "first training step, 784-196-784": {"cold": timing(8.0), "warm": timing(2.5)},
        "snn-synth synthesize, one word": {"error": "no sound"},
    }
    metrics["loading"] = {
        "ae_mnist": {"share": 0.0123, "epoch": 10.04, "batches": 539},
        "a2i_fsdd": {"error": "no data"},
    }
    text = report.tables(metrics)
    assert cells(text, "first training step, 784-196-784")[1:] == ["8.00", "10", "2.50", "3", "2.00"]
    assert cells(text, "snn-synth synthesize, one word")[1] == "no sound"
    assert cells(text, "ae_mnist")[1:] == ["1.23%", "5%", "10.0, 539"]
    assert cells(text, "a2i_fsdd")[1] == "no data"


def test_the_page_names_each_machine_with_its_command(metrics, page):
    text = page.page({"epyc": metrics, "laptop": metrics | {"command": "snn-synth bench --threads 1"}})
    assert text.index("## epyc") < text.index("`snn-synth bench`") < text.index("## laptop")
    assert "`snn-synth bench --threads 1`" in text
    assert text.count("images/growth.png") == 1


def test_the_page_is_rebuilt_from_a_folder(metrics, page, tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "epyc.json").write_text(json.dumps(metrics))
    monkeypatch.setattr(page, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(page, "PAGE", tmp_path / "docs" / "performance.md")
    page.main()
    assert (tmp_path / "docs" / "performance.md").read_text() == page.page({"epyc": metrics})
    assert (tmp_path / "docs" / "images" / "growth.png").stat().st_size > 1000


def test_the_committed_page_is_what_the_committed_results_give(page):
    results = page.read(page.RESULTS)
    assert page.PAGE.exists() == bool(results)
    if results:
        assert page.PAGE.read_text() == page.page(results)
        assert not re.search(r"(?<![\w.])/(?:tmp|home|work|root)/", page.PAGE.read_text()), "no paths of a machine"


def test_two_versions_are_compared_pair_by_pair(page):
    runs = [({"bptt": 0.010}, {"bptt": 0.011}), ({"bptt": 0.020}, {"bptt": 0.018}), ({"bptt": 0.012}, {"bptt": 0.012})]
    steps = script("earlier").ratios(runs)
    assert steps == {"bptt": {"earlier_ms": 12.0, "now_ms": 12.0, "ratio": 1.0, "ratios": [1.1, 0.9, 1.0]}}
    given = {"earlier": "aaa", "now": "bbb", "command": "python x", "machine": {"cores": 2, "cpu": "CPU"}}
    assert cells(page.earlier(given | {"steps": steps}), "bptt") == ["bptt", "12.0", "12.0", "1.000", "0.950 to 1.050"]


@pytest.mark.parametrize("number", [0, 1])
def test_two_versions_take_turns_and_each_has_its_own_times(number, monkeypatch):
    """A process of each version: the earlier one answers 2 s, this one 1 s, whichever starts first."""
    earlier, asked = script("earlier"), []

    class Answers(earlier.Version):
        def __init__(self, tree):
            self.steps, self.took = ["bptt", "online"], {"old": 2.0, "new": 1.0}[tree]
            asked.append(f"start {tree}")

        def seconds(self, step):
            asked.append(step)
            return self.took

        def close(self):
            asked.append("close")

    monkeypatch.setattr(earlier, "Version", Answers)
    monkeypatch.setattr(earlier, "ROOT", "new")
    assert earlier.pair("old", number) == ({"bptt": 2.0, "online": 2.0}, {"bptt": 1.0, "online": 1.0})
    assert asked[:2] == [["start new", "start old"], ["start old", "start new"]][number]
    assert asked[2:] == ["bptt"] * 2 * earlier.TURNS + ["online"] * 2 * earlier.TURNS + ["close"] * 2


def test_a_process_that_times_answers_with_the_median_of_a_step_or_ends_the_comparison(monkeypatch):
    earlier = script("earlier")
    answers = "print('a\\tb', flush=True)\nfor step in iter(input, 'b'): print(0.5, flush=True)"
    monkeypatch.setattr(earlier, "STEPS", answers)
    version = earlier.Version(ROOT)
    assert version.steps == ["a", "b"]
    assert version.seconds("a") == 0.5
    with pytest.raises(SystemExit, match="ended: exit code 0"):
        version.seconds("b")
    version.close()

"""benchmarks/gpu.py, rehearsed on the CPU, and its section of the page."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from snn_synth.experiments.bench import gpu_report

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, str(ROOT / "benchmarks" / "gpu.py")]


def run(*words, **environment):
    child = {**os.environ, **environment}
    child.pop("SNN_SYNTH_DATA", None)
    return subprocess.run([*COMMAND, *map(str, words)], env=child, capture_output=True, text=True, timeout=600)


def rehearsed(out, stages):
    child = run("--dry-run", "--minutes", 9, "--out", out, "--only", *stages)
    assert child.returncode == 0, child.stdout + child.stderr
    results = json.loads(out.read_text())
    assert results["skipped"] == {}
    assert list(results["seconds"]) == stages
    assert all(one["ok"] for stage in results["gpu"].values() for one in stage.get("checks", []))
    return results


@pytest.mark.slow
def test_a_rehearsal_leaves_results_that_the_page_can_show(tmp_path):
    pytest.importorskip("triton")
    text = gpu_report.section(rehearsed(tmp_path / "results.json", ["scans", "full-size", "products"]))
    assert "passed." in text
    assert "| loss and its gradient" in text
    assert "An epoch of 70 batches" in text


@pytest.mark.slow
@pytest.mark.skipif("SNN_SYNTH_TRUST" not in os.environ, reason="by make trust")
def test_the_other_stages_can_be_rehearsed(tmp_path):
    pytest.importorskip("triton")
    results = rehearsed(tmp_path / "results.json", ["steps", "graph", "limits", "inference-784-196-784"])
    assert results["workloads"]["inference-784-196-784"]["implementations"]["ours"]["median"] > 0


@pytest.mark.slow
def test_a_run_without_time_leaves_a_note_of_what_it_left_out(tmp_path):
    pytest.importorskip("triton")
    out = tmp_path / "results.json"
    assert run("--dry-run", "--minutes", 0.01, "--out", out, "--only", "limits", "models").returncode == 1
    assert json.loads(out.read_text())["skipped"] == {"limits": "no time was left", "models": "no time was left"}


@pytest.mark.slow
def test_what_is_missing_is_one_sentence(tmp_path):
    """A package that cannot be found, in the place of one that is not installed."""
    hide = "import importlib.util as u, runpy, sys; f = u.find_spec; "
    hide += "u.find_spec = lambda n, *a: None if n == 'soundfile' else f(n, *a); "
    hide += f"sys.argv = ['gpu.py', '--out', {str(tmp_path / 'x.json')!r}]; "
    hide += f"runpy.run_path({COMMAND[1]!r}, run_name='__main__')"
    child = subprocess.run([sys.executable, "-c", hide], capture_output=True, text=True)
    assert child.returncode == 2
    assert child.stderr.endswith("got all but soundfile\n")
    assert child.stderr.count("\n") == 1
    assert not (tmp_path / "x.json").exists()


def timing(median):
    return {"median": median, "min": median, "max": median, "rounds": 3}


@pytest.fixture
def found():
    """A run whose ratios are plain."""
    implementations = {"snntorch": timing(8e-3), "ours": timing(1e-3), "graph": timing(2e-4)}
    small = {
        "times": implementations,
        "launches": {"snntorch": 1500, "ours": 40, "graph": 1},
        "faster": {"snntorch": 1.0, "ours": 8.0, "graph": 40.0},
    }
    return {
        "workloads": {"bptt-784-196-784": {"implementations": implementations, "floor": {"flops": 2304960000}}},
        "skipped": {"models": "cut off after 45 s"},
        "gpu": {
            "contract": {"failed": {"test_loss[x]": "not close"}, "checks": []},
            "graph": {"bptt-784-196-784": small, "checks": [{"name": "a", "found": 0.0, "bound": 1e-4, "ok": True}]},
            "limits": {"float32_flops": 50e12, "bfloat16_flops": 800e12, "bandwidth": 3e12},
            "scans": {
                "shape": [60, 400, 1024],
                "rows": {
                    "forward": {"seconds": 1e-4, "bandwidth": 2e12},
                    "loss": {"seconds": 2e-4, "bandwidth": 1.2e12},
                },
            },
            "full-size": {
                "peaks": {"snnTorch": {"seconds": 0.04, "bytes": 6e9}, "snn_synth": {"error": "no memory"}},
                "epoch_seconds": 25.0,
                "checks": [{"name": "seconds of an epoch", "found": 25.0, "bound": 20, "ok": False}],
            },
            "fits": {"rows": {"ae_mnist": {"seconds": 9.5, "exit_code": 0}}},
        },
    }


def cells(text, first):
    [line] = [line for line in text.splitlines() if line.startswith(f"| {first} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_section_of_a_gpu(found):
    text = gpu_report.section(found)
    assert cells(text, "bptt-784-196-784 as a graph, x snnTorch")[1:] == ["40x", "at least 30x", "yes"]
    assert cells(text, "epoch of 58500-2048-196")[1:] == ["25 s", "at most 20 s", "no"]
    assert cells(text, "bandwidth of the slowest scan")[1:] == ["40 %", "at least 50 %", "no"]
    assert "1 of 2 passed." in text
    assert "- `test_loss[x]`: not close" in text
    assert "- stage models did not end: cut off after 45 s" in text
    assert cells(text, "forward")[1:] == ["0.1", "2,000", "67%"]
    assert cells(text, "snnTorch")[1:] == ["40", "6.00"]
    # 2.3 GF in 0.2 ms
    assert cells(text.split("limits")[1], "bptt-784-196-784")[2:] == ["11.52", "23.0%", "1.4%"]


def test_what_was_not_reached_is_left_out():
    assert gpu_report.section({"workloads": {}, "gpu": {}, "skipped": {}}) == ""

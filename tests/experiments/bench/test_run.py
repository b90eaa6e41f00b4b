import json

import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.experiments.bench import precision, report, workloads
from snn_synth.experiments.bench import run as bench
from snn_synth.experiments.bench.implementations import IMPLEMENTATIONS, Implementation, Run
from snn_synth.experiments.bench.workloads import Workload


def broken(case):
    right = IMPLEMENTATIONS["ours"].build(case).check()

    def step():
        raise RuntimeError("its compiler\nis missing")

    return Run(lambda: right, step)


@pytest.fixture
def tiny(monkeypatch):
    """Two tiny workloads in the place of the real ones, with implementations that must not be timed."""
    present = ("snntorch", "absent", "broken", "liar", "ours")
    small = [
        Workload("bptt", (30, 8, 30), 4, 3, present, repeats=2, pretraining=2, quick=True),
        Workload("online", (30, 8, 30), 4, 3, ("naive", "ours"), repeats=2, naive_steps=2, pretraining=2, quick=True),
    ]
    monkeypatch.setattr(workloads, "WORKLOADS", tuple(small))
    monkeypatch.setattr(bench, "WORKLOADS", tuple(small))
    monkeypatch.setattr(bench, "PRECISION", ("bptt-30-8-30",))
    monkeypatch.setattr(bench, "PARTS", ("online-30-8-30",))
    monkeypatch.setattr(bench.floor, "SQUARE", 64)
    monkeypatch.setattr(
        bench.memory, "alone", lambda case, names: {n: {"peak_bytes": 3, "grown_bytes": 2} for n in names}
    )
    monkeypatch.setitem(IMPLEMENTATIONS, "absent", Implementation("absent", broken, package="no_such_package"))
    monkeypatch.setitem(IMPLEMENTATIONS, "broken", Implementation("broken", broken))
    monkeypatch.setitem(
        IMPLEMENTATIONS, "liar", Implementation("liar", lambda case: Run(lambda: (1.0,), lambda: pytest.fail("timed")))
    )


@pytest.mark.usefixtures("tiny")
def test_a_run_and_its_record(tmp_path):
    metrics = bench.run(tmp_path / "new" / "bench", argv=["bench", "--quick"], quick=True)
    assert json.loads((tmp_path / "new" / "bench" / "metrics.json").read_text()) == metrics
    assert metrics["command"] == "snn-synth bench --quick"
    rows = metrics["workloads"]["bptt-30-8-30"]["implementations"]
    assert list(rows) == ["snntorch", "broken", "liar", "ours"]
    assert rows["broken"]["error"] == "RuntimeError: its compiler is missing"
    assert "Expected liar to give" in rows["liar"]["error"]
    assert rows["ours"]["check"] == pytest.approx(rows["snntorch"]["check"], rel=1e-5)
    assert 0 < rows["ours"]["min"] <= rows["ours"]["median"] <= rows["ours"]["max"]
    assert rows["ours"]["rounds"] == 3
    assert metrics["workloads"]["online-30-8-30"]["implementations"]["naive"]["scaled_by"] == 2
    assert metrics["parts"]["online-30-8-30"]["nothing"]["rounds"] == 3
    assert "absent" in metrics["not_installed"]
    page = report.tables(metrics)
    assert "- liar: InputError: Expected liar" in page
    assert "naive stored traces (first steps x 2)" in page
    assert "not installed, so not measured: absent" in page


@pytest.mark.usefixtures("tiny")
def test_memory_and_repeats(tmp_path):
    metrics = bench.run(tmp_path, only=["online-30-8-30"], repeats=1)
    assert list(metrics["workloads"]) == ["online-30-8-30"]
    row = metrics["workloads"]["online-30-8-30"]["implementations"]["ours"]
    assert (row["rounds"], row["peak_bytes"], row["grown_bytes"]) == (1, 3, 2)
    assert "precision" not in metrics


@pytest.mark.usefixtures("tiny")
def test_threads_are_those_asked_for_and_then_as_before(tmp_path, monkeypatch):
    before, seen = torch.get_num_threads(), []
    measured = bench.measure_workload
    monkeypatch.setattr(bench, "measure_workload", lambda *a: seen.append(torch.get_num_threads()) or measured(*a))
    bench.run(tmp_path, only=["online-30-8-30"], repeats=1, threads=before + 1)
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


def test_names_are_chosen_once():
    name = "online-784-196-784"
    assert bench.choose([name, "growth", name], quick=False, with_growth=True) == [name, "growth"]
    with pytest.raises(InputError, match=r"Expected benchmarks of .*'bptt-784-196-784'.*got 'fast'"):
        bench.choose(["fast"], quick=False, with_growth=False)


def test_a_coarser_precision_has_a_larger_error(make):
    case = make("bptt")
    rows = precision.measure(case, repeats=1)
    assert list(rows) == ["reference", "float32", "mixed", "bfloat16"]
    errors = {name: max(row["gradient_errors"]) for name, row in rows.items()}
    assert errors["reference"] < 1e-5
    assert errors["float32"] < 1e-5
    assert errors["float32"] < errors["bfloat16"] < 1
    assert rows["float32"]["changed_spikes"] == 0


def test_the_error_is_relative_to_the_exact_gradient():
    exact = torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert precision.relative_error(torch.tensor([3.0, 4.5]), exact) == pytest.approx(0.1)
    assert precision.relative_error(torch.zeros(2), torch.zeros(2)) == 0

import pytest

from snn_synth.errors import InputError
from snn_synth.experiments.bench import growth
from snn_synth.experiments.bench.workloads import LARGE
from snn_synth.plot import growth as figure


def test_the_slope_of_a_power_law():
    x = [784, 3900, 15600, 58500]
    assert growth.slope(x, [3 * n**1.5 for n in x]) == 1.5
    assert growth.slope(x, [7 for _ in x]) == 0
    assert growth.slope([784], [1.0]) is None
    assert growth.slope([1, 2], [0, 0]) is None


def test_each_curve_changes_one_number_and_the_inputs_reach_the_papers():
    for axis, points in growth.curves().items():
        shapes = [(*w.sizes, w.num_steps, w.batch) for _, w in points]
        changing = [column for column in zip(*shapes, strict=True) if len(set(column)) > 1]
        if axis == "hidden neurons" or axis in ("time steps T", "batch B", "inputs"):
            assert changing == [tuple(x for x, _ in points)]
    assert growth.curves()["inputs"][-1][1].sizes == LARGE
    assert growth.points(quick=True) < growth.points()


def test_every_point_is_measured_alone(monkeypatch):
    """With a child that takes T * B seconds and T bytes, the fitted exponents are 1 and 1 or 0."""

    def child(case, implementations, repeats):
        seconds = case.workload.num_steps * case.workload.batch
        return {name: {"median": seconds, "grown_bytes": case.workload.num_steps} for name in implementations}

    class Shape:
        def __init__(self, workload):
            self.workload = workload

    monkeypatch.setattr(growth, "prepare", lambda shape, device: shape)
    monkeypatch.setattr(growth, "alone", child)
    replace = growth.replace
    monkeypatch.setattr(
        growth, "replace", lambda old, **new: Shape(new["workload"]) if "workload" in new else replace(old, **new)
    )
    rows = growth.measure(quick=True)
    found = {(row["axis"], row["rule"], row["implementation"]): row["slopes"] for row in rows}
    assert len(found) == 4 * 3
    assert found["time steps T", "bptt", "snntorch"] == {"seconds": 1, "grown_bytes": 1}
    assert found["batch B", "online", "ours"] == {"seconds": 1, "grown_bytes": 0}
    assert found["inputs", "bptt", "ours"] == {"seconds": 0, "grown_bytes": 0}


def test_the_law_goes_through_the_last_point():
    axes = figure({"T\nseconds": {"ours": ([1, 2, 4], [1.0, 3.0, 8.0])}}, law=2).axes
    curve, law = axes[0].lines
    assert list(curve.get_ydata()) == [1, 3, 8]
    assert list(law.get_ydata()) == [0.5, 2, 8]
    assert (axes[0].get_xscale(), axes[0].get_yscale()) == ("log", "log")


def test_nothing_to_draw():
    with pytest.raises(InputError, match="at least one curve"):
        figure({})


def test_the_picture_has_time_and_memory_of_each_axis():
    row = {"rule": "bptt", "x": [1, 2], "seconds": [1, 2], "grown_bytes": [1e6, 3e6]}
    rows = [row | {"axis": axis, "implementation": name} for axis in ("T", "B") for name in ("snntorch", "ours")]
    axes = growth.draw(rows).axes
    assert [(ax.get_xlabel(), ax.get_ylabel()) for ax in axes] == [
        ("T", "seconds a batch"),
        ("B", "seconds a batch"),
        ("T", "memory, MB"),
        ("B", "memory, MB"),
    ]
    assert list(axes[2].lines[2].get_ydata()) == [1, 3]

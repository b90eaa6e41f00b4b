import pkgutil
from contextlib import nullcontext
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.experiments.bench import parts, report
from snn_synth.experiments.bench.implementations import ours
from snn_synth.kernels.cpu import step, traces


@pytest.mark.parametrize("rule", list(parts.PARTS))
def test_every_variant_is_checked_and_timed(rule, make):
    ticks = []
    rows = parts.measure(make(rule), repeats=2, tick=lambda: ticks.append(1))
    adam = [parts.FUSED_ADAM] if rule == "bptt" else []  # the online rule has its own, among its parts
    assert list(rows) == [parts.ALL, *parts.PARTS[rule], *adam, parts.NONE]
    assert len(ticks) == parts.number_of_steps(rule, 2)
    assert all(row["rounds"] == 2 and row["median"] > 0 for row in rows.values())


CALLS = {
    "scan, loss and their gradients in one pass": ("bptt", "cpu.lif.loss"),
    "products with spikes in the fastest way": ("bptt", "cpu.choice.fastest"),
    "memory used again": ("bptt", "cpu.memory._size"),
    "Poisson spikes hashed and compared in one pass": ("bptt", "cpu.encoding.rate_spikes"),
    "traces made where they are used": ("online", "cpu.traces.update_weight"),
    "Adam's step made with its gradient": ("online", "cpu.traces.update_weight"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_part_that_is_off_is_not_called(name, make, monkeypatch):
    rule, target = CALLS[name]
    case = make(rule, (64, 64, 64))  # no fewer neurons than a list of spikes is made for
    monkeypatch.setattr("snn_synth.kernels.cpu.products.WORTH", 0)
    monkeypatch.setattr("snn_synth.kernels.cpu.products._MOST", 1.0)  # without AMX, too, there are two to choose from
    path = f"snn_synth.kernels.{target}"
    for off, called in ((nullcontext, True), (parts.PARTS[rule][name], False)):
        with patch(path, wraps=pkgutil.resolve_name(path)) as spy:
            parts._step(case, ours.build(case, off), off)
        assert spy.called == called


def test_errors_of_zero_take_part_when_they_are_not_skipped():
    noise = torch.Generator().manual_seed(0)
    delta = torch.randn(4, 6, generator=noise) * (torch.rand(4, 6, generator=noise) < 0.3)
    sums = torch.rand(3, 4, 5, generator=noise)
    last = torch.zeros(4, 6, dtype=torch.int32)
    expected = traces.weight_gradient(step.errors(delta), last, sums, 2, 0.9)
    with (
        patch.object(traces, "weight_gradient", wraps=traces.weight_gradient) as spy,
        parts.PARTS["online"]["masked errors skipped"](),
    ):
        found = traces.weight_gradient(step.errors(delta), last, sums, 2, 0.9)
    assert (delta == 0).any()
    assert (spy.call_args.args[0].values != 0).all()
    torch.testing.assert_close(found, expected)


def test_a_variant_that_computes_something_else_is_not_timed(make, monkeypatch):
    wrong = partial(patch, "snn_synth.neurons.lif_scan_loss", lambda *a, **k: torch.zeros((), requires_grad=True))
    monkeypatch.setitem(parts.PARTS["bptt"], "truth", wrong)
    with pytest.raises(InputError, match="Expected a step without truth to give"):
        parts.measure(make("bptt"), repeats=1)


def test_the_table_has_the_ratio_to_all_parts():
    rows = {parts.ALL: {"median": 0.02}, "x": {"median": 0.03}, parts.NONE: {"median": 0.08}}
    lines = report.parts({"bptt-1-2-3": rows}).splitlines()
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]] == [
        ["bptt-1-2-3", "nothing", "20", "1.00"],
        ["bptt-1-2-3", "x", "30", "1.50"],
        ["bptt-1-2-3", "all of it", "80", "4.00"],
    ]


def test_without_memory_that_is_used_again_nothing_is():
    """Not even what the package has made before."""
    before = traces._memory(3, 5, 7, 8)
    with parts._without_memory():
        first, second = (traces._memory(3, 5, 7, 8) for _ in range(2))
        assert not any(np.shares_memory(a, b) for a, b in zip(first, second, strict=True))
        assert not any(np.shares_memory(a, b) for a, b in zip(first, before, strict=True))
    assert traces._memory(3, 5, 7, 8) is before

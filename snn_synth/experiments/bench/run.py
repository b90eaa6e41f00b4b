"""A whole run: every workload asked for, one after the other; what was measured is on disk after each of them."""

import contextlib
import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from snn_synth import plot
from snn_synth.data.root import make_folder
from snn_synth.encoding import poisson_encode
from snn_synth.errors import InputError
from snn_synth.experiments.bench import case as cases
from snn_synth.experiments.bench import first_seconds, floor, growth, loading, memory, parts, precision, rates
from snn_synth.experiments.bench.implementations import IMPLEMENTATIONS, Run
from snn_synth.experiments.bench.machine import load, machine, versions
from snn_synth.experiments.bench.measure import assert_equal, in_turns, summary, timed
from snn_synth.experiments.bench.workloads import EXTRAS, WORKLOADS, Workload, find, names
from snn_synth.files import atomic_write

QUICK_REPEATS = 3
PRECISION = ("bptt-784-196-784", "bptt-784-1024-784", "online-784-196-784")
PARTS = (*PRECISION, "online-784-1024-784")
ENCODING = "poisson_encode"
Tick = Callable[[], object]


def run(
    out: Path,
    only: Sequence[str] = (),
    quick: bool = False,
    with_growth: bool = False,
    threads: int | None = None,
    repeats: int | None = None,
    device: str = "cpu",
    argv: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure, and write ``metrics.json`` (after each workload) and ``growth.png`` into ``out``.

    Args:
        out: folder, made if it is not there.
        only: names of :func:`~snn_synth.experiments.bench.workloads.names`; all but growth if empty.
        quick: the small workloads, few repeats, no ``torch.compile``, memory of nobody.
        with_growth: the growth curves too.
        threads: of PyTorch and numba; as PyTorch has them if None.
        repeats: timed rounds, instead of each workload's own number.
        device: ``cpu`` or ``cuda``.
        argv: arguments of the command line, for the record.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        InputError: for an unknown name, a number below 1, a device that is not there, or a folder that cannot be
            written.
    """
    chosen = choose(only, quick, with_growth)
    for name, number in (("threads", threads), ("repeats", repeats)):
        if number is not None and number < 1:
            raise InputError(f"Expected `{name}` to be at least 1, got {number}")
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise InputError(f"Expected a device of ['cpu', 'cuda'] that is there, got {device!r}")
    make_folder(out)
    workloads = [find(name) for name in chosen if name not in EXTRAS]
    if quick and repeats is None:
        repeats = QUICK_REPEATS
    with _threads(threads):
        metrics: dict[str, Any] = {
            "command": shlex.join(["snn-synth", *argv]),
            "device": device,
            "machine": machine(device),
            "versions": versions(),
            "data": cases.source(),
            "not_installed": sorted(
                name for name, implementation in IMPLEMENTATIONS.items() if not implementation.installed
            ),
            "workloads": {},
        }
        for workload in workloads:
            metrics["workloads"][workload.name] = measure_workload(workload, device, quick, repeats)
            _write(out, metrics)
        if "precision" in chosen:
            metrics["precision"] = _precision(device, quick, repeats)
            _write(out, metrics)
        if "parts" in chosen and device == "cpu":
            metrics["parts"] = _parts(quick, repeats)
            _write(out, metrics)
        if "rates" in chosen and device == "cpu":
            metrics["rates"] = _rates(repeats)
            plot.save_figure(rates.draw(metrics["rates"]), out / "rates.png")
            _write(out, metrics)
        if "first-seconds" in chosen and device == "cpu":
            rounds = repeats or first_seconds.REPEATS
            with _bar("first-seconds", 2 * rounds * len(first_seconds.commands(out))) as tick:
                metrics["first_seconds"] = first_seconds.measure(rounds, tick)
            _write(out, metrics)
        if "loading" in chosen and device == "cpu":
            with _bar("loading", len(loading.CONFIGS)) as tick:
                metrics["loading"] = loading.measure(tick=tick)
            _write(out, metrics)
        if "growth" in chosen:
            with _bar("growth", growth.points(quick)) as tick:
                metrics["growth"] = growth.measure(device, quick, repeats or 3, tick)
            plot.save_figure(growth.draw(metrics["growth"]), out / "growth.png")
            _write(out, metrics)
    return metrics


def choose(only: Sequence[str], quick: bool, with_growth: bool) -> list[str]:
    """Names of what will be measured.

    Raises:
        InputError: for an unknown name.

    Example:
        >>> choose([], quick=True, with_growth=False)
        ['bptt-784-196-784', 'inference-784-196-784', 'online-784-196-784', 'precision', 'parts']
    """
    for name in only:
        if name not in names():
            raise InputError(f"Expected benchmarks of {names()}, got {name!r}")
    slow = () if quick else ("rates", "first-seconds", "loading")
    chosen = list(only) or [*(w.name for w in WORKLOADS if w.quick or not quick), "precision", "parts", *slow]
    if with_growth and "growth" not in chosen:
        chosen.append("growth")
    return list(dict.fromkeys(chosen))


def measure_workload(
    workload: Workload, device: str, quick: bool, repeats: int | None, with_memory: bool = True
) -> dict[str, Any]:
    """One workload: all implementations that are installed, checked and timed in turns; the floor; peaks of memory."""
    repeats = repeats or workload.repeats
    present = [name for name in workload.implementations if IMPLEMENTATIONS[name].takes_part(device)]
    if quick:
        present = [name for name in present if name != "compile"]
    training = workload.rule != "inference"
    total = repeats * (len(present) + training)
    with _bar(workload.name, total) as tick:
        case = cases.prepare(workload, device)
        peak, bandwidth = floor.measure(workload, device)
        rows, runs = _checked(case, present)
        steps = {name: entry.step for name, entry in runs.items()}
        if training:
            steps[ENCODING] = lambda: poisson_encode(case.values, workload.num_steps, keys=case.keys)
            steps[ENCODING]()
        seconds = in_turns(steps, repeats, device, tick)
        again = floor.measure(workload, device)  # what disturbed the machine must not raise the floor
        peak, bandwidth = max(peak, again[0]), max(bandwidth, again[1])
        for name, entry in runs.items():
            rows[name] |= summary(seconds[name], entry.scale) | ({"scaled_by": entry.scale} if entry.scale != 1 else {})
        encoding = summary(seconds[ENCODING]) if training else None
        peaks = memory.alone(case, list(runs)) if training and with_memory and not quick else {}
    for name, found in peaks.items():
        rows[name] |= {key: found[key] for key in ("peak_bytes", "grown_bytes") if key in found}
    return {
        "rule": workload.rule,
        "sizes": list(workload.sizes),
        "num_steps": workload.num_steps,
        "batch": workload.batch,
        "rates": cases.rates(case),
        "load_average": load(),
        "floor": {
            "flops": floor.flops(workload),
            "adam_bytes": floor.adam_bytes(workload),
            "peak_flops": float(f"{peak:.4g}"),
            "bandwidth": float(f"{bandwidth:.4g}"),
            "seconds": float(f"{floor.seconds(workload, peak, bandwidth):.4g}"),
        },
        "implementations": rows,
        "poisson_encode": encoding,
    }


def _checked(case: cases.Case, present: Sequence[str]) -> tuple[dict[str, dict[str, Any]], dict[str, Run]]:
    """A row for each, with the reason if it is not timed, and those that what our reference functions compute."""
    expected = IMPLEMENTATIONS["reference"].build(case).check()
    rows: dict[str, dict[str, Any]] = {}
    runs: dict[str, Run] = {}
    for name in present:
        try:
            entry = IMPLEMENTATIONS[name].build(case)
            found = entry.check()
            assert_equal(IMPLEMENTATIONS[name].title, found, expected)
            warm_up = timed(entry.step, str(case.spikes.device))
        except Exception as error:  # whatever a library, or its compiler, cannot do on this machine
            rows[name] = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
            continue
        rows[name] = {"check": [float(f"{x:.7g}") for x in found], "warm_up": float(f"{warm_up:.4g}")}
        runs[name] = entry
    return rows, runs


def _precision(device: str, quick: bool, repeats: int | None) -> dict[str, Any]:
    chosen = [find(name) for name in PRECISION if find(name).quick or not quick]
    with _bar("precision", sum((repeats or w.repeats) * (len(precision.CHOICES) + 1) for w in chosen)) as tick:
        return {
            workload.name: precision.measure(cases.prepare(workload, device), repeats or workload.repeats, tick)
            for workload in chosen
        }


def _parts(quick: bool, repeats: int | None) -> dict[str, Any]:
    chosen = [find(name) for name in PARTS if find(name).quick or not quick]
    with _bar("parts", sum(parts.number_of_steps(w.rule, repeats or w.repeats) for w in chosen)) as tick:
        return {w.name: parts.measure(cases.prepare(w), repeats or w.repeats, tick) for w in chosen}


def _rates(repeats: int | None) -> list[dict[str, Any]]:
    workload = find("bptt-784-196-784")
    repeats = repeats or workload.repeats
    with _bar("rates", len(rates.RATES) * len(rates.TITLES) * repeats) as tick:
        return rates.measure(cases.prepare(workload), repeats, tick=tick)


def _write(out: Path, metrics: dict[str, Any]) -> None:
    with atomic_write(out / "metrics.json") as partial:
        partial.write_text(json.dumps(metrics, indent=1) + "\n")


@contextlib.contextmanager
def _bar(name: str, total: int) -> Iterator[Tick]:
    with tqdm(total=total, desc=name, unit="step", disable=None) as bar:
        yield lambda: bar.update()


@contextlib.contextmanager
def _threads(number: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)

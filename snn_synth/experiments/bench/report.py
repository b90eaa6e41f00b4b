"""Measurements as markdown tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from snn_synth.experiments.bench import loading
from snn_synth.experiments.bench.first_seconds import AT_MOST, FLOOR
from snn_synth.experiments.bench.growth import LAW
from snn_synth.experiments.bench.implementations import IMPLEMENTATIONS
from snn_synth.experiments.bench.parts import ALL
from snn_synth.experiments.bench.rates import TITLES
from snn_synth.experiments.bench.workloads import BY_HAND, LIBRARIES

Metrics = Mapping[str, Any]
MB, GB = 1e6, 1e9


def tables(metrics: Metrics) -> str:
    """Everything that was measured and where, as the command prints it."""
    return "\n\n".join([measurements(metrics), machine(metrics)])


def measurements(metrics: Metrics) -> str:
    """Everything that was measured."""
    sections = [workload(name, record) for name, record in metrics["workloads"].items()]
    if poisson := poisson_input(metrics):
        sections.append(f"### Poisson input\n\n{poisson}")
    if "precision" in metrics:
        sections.append(f"### Precision\n\n{precision(metrics['precision'])}")
    if "rates" in metrics:
        sections.append(f"### Hidden neurons that fire\n\n{by_rate(metrics['rates'])}")
    if "parts" in metrics:
        sections.append(f"### What each part brings\n\n{parts(metrics['parts'])}")
    if "first_seconds" in metrics:
        sections.append(f"### First seconds\n\n{first_seconds(metrics['first_seconds'])}")
    if "loading" in metrics:
        sections.append(f"### Waiting for data\n\n{waiting(metrics['loading'])}")
    if "growth" in metrics:
        sections.append(f"### Growth\n\n{growth(metrics['growth'])}")
    return "\n\n".join(sections)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table, its columns aligned.

    Example:
        >>> print(table(["a", "b"], [["1", "22"]]))
        | a | b  |
        |---|----|
        | 1 | 22 |
    """
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in (header, *rows)
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def workload(name: str, record: Metrics) -> str:
    """Implementations of a workload: times, ratio to the first, to the floor, memory."""
    implementations = record["implementations"]
    first = next(iter(implementations))
    first_title = IMPLEMENTATIONS[first].title
    rows = []
    for key, row in implementations.items():
        title = IMPLEMENTATIONS[key].title
        if "error" in row:
            rows.append([title, "not timed", "", "", "", ""])
            continue
        if "scaled_by" in row:
            title += f" (first steps x {row['scaled_by']:g})"
        ratio = speed(record, key, first)
        rows.append(
            [
                title,
                milliseconds(row["median"]),
                f"{milliseconds(row['min'])} - {milliseconds(row['max'])}",
                "" if ratio is None else f"{ratio:.2f}",
                f"{row['median'] / record['floor']['seconds']:.2f}",
                f"{row['peak_bytes'] / MB:,.0f}, {row['grown_bytes'] / MB:,.0f}" if "peak_bytes" in row else "",
            ]
        )
    header = ["implementation", "ms", "min - max", f"x {first_title}", "x floor", "peak MB, of it beyond imports"]
    share = record["rates"]
    text = (
        f"### {name}, T={record['num_steps']}, B={record['batch']}\n\n"
        f"{table(header, rows)}\n\n{_floor(record)} Of the neurons, {share['hidden']:.1%} of the hidden and "
        f"{share['output']:.1%} of the output ones fire in a step; {share['masked_errors']:.1%} of the errors count."
    )
    errors = [
        f"\n- {IMPLEMENTATIONS[key].title}: {row['error']}" for key, row in implementations.items() if "error" in row
    ]
    return text + ("\n" + "".join(errors) if errors else "")


def _floor(record: Metrics) -> str:
    floor = record["floor"]
    text = f"Floor: {floor['flops'] / 1e9:,.2f} GF at {floor['peak_flops'] / 1e9:,.0f} GF/s"
    if floor["adam_bytes"]:
        text += f" + {floor['adam_bytes'] / MB:,.1f} MB of Adam at {floor['bandwidth'] / GB:.1f} GB/s"
    return f"{text} = {milliseconds(floor['seconds'])} ms."


def speed(record: Metrics | None, key: str, other: str) -> float | None:
    """How many times as fast as another implementation, by medians; None if one of them was not timed."""
    rows = record["implementations"] if record else {}
    if any("median" not in rows.get(name, {}) for name in (key, other)):
        return None
    return float(rows[other]["median"] / rows[key]["median"])


def milliseconds(seconds: float) -> str:
    """Three digits.

    Example:
        >>> milliseconds(0.0123456), milliseconds(104.2)
        ('12.3', '104,200')
    """
    value = seconds * 1e3
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def poisson_input(metrics: Metrics) -> str:
    """Time of the Poisson input beside the training step that it feeds."""
    rows = [
        [name, milliseconds(record["poisson_encode"]["median"]), milliseconds(ours["median"]), f"{part:.1%}"]
        for name, record in metrics["workloads"].items()
        if (part := poisson_share(record)) is not None and (ours := record["implementations"]["ours"])
    ]
    return table(["workload", "input, ms", "step, ms", "share"], rows) if rows else ""


def poisson_share(record: Metrics | None) -> float | None:
    """Input time over step time."""
    ours = record["implementations"].get("ours", {}) if record else {}
    if record is None or not record.get("poisson_encode") or "median" not in ours:
        return None
    return float(record["poisson_encode"]["median"] / ours["median"])


def precision(record: Metrics) -> str:
    """Precision choices of each workload."""
    rows = []
    for name, choices in record.items():
        base = choices["reference"]["median"]
        for choice, row in choices.items():
            errors = ", ".join(f"{error:.1e}" for error in row["gradient_errors"])
            title = "float32, reference" if choice == "reference" else choice
            rows.append(
                [
                    name,
                    title,
                    milliseconds(row["median"]),
                    f"{base / row['median']:.2f}",
                    errors,
                    _share(row["changed_spikes"]),
                ]
            )
    return table(["workload", "precision", "ms", "x reference", "gradient error, layers 1, 2", "spikes changed"], rows)


def _share(value: float) -> str:
    return f"{value:.1e}" if value else "none"


def parts(record: Metrics) -> str:
    """Time of a step without each part of the kernels, beside that with all of them."""
    rows = []
    for name, variants in record.items():
        whole = variants[ALL]["median"]
        rows += [
            [name, without, milliseconds(row["median"]), f"{row['median'] / whole:.2f}"]
            for without, row in variants.items()
        ]
    return table(["workload", "without", "ms", "x the time with all parts"], rows)


def by_rate(rows: Sequence[Metrics]) -> str:
    """Times of a training step, 784-196-784, at each share of hidden neurons that fire."""
    cells = []
    for row in rows:
        times = [row[name]["median"] for name in TITLES]
        ratio = row["snntorch"]["median"] / row["ours"]["median"]
        cells.append([f"{row['hidden']:.2f}", *map(milliseconds, times), f"{ratio:.2f}"])
    return table(["hidden rate", *(f"{title}, ms" for title in TITLES.values()), "x snnTorch"], cells)


def first_seconds(record: Metrics) -> str:
    """Seconds to the first result, beside the targets and the time that ``import torch`` takes."""
    floor = record[FLOOR].get("warm", {}).get("median")
    rows = []
    for name, states in record.items():
        if "error" in states:
            rows.append([name, states["error"], "", "", "", ""])
            continue
        cells = [name]
        for state in ("cold", "warm"):
            bound = AT_MOST.get(name, {}).get(state)
            cells += [f"{states[state]['median']:.2f}", "" if bound is None else f"{bound:g}"]
        rows.append([*cells, f"{states['warm']['median'] / floor:.2f}" if floor else ""])
    return table(["until it is done", "cold, s", "at most", "warm, s", "at most", f"x {FLOOR}"], rows)


def waiting(record: Metrics) -> str:
    """Share of the epochs in which training waited for its data."""
    rows = [
        [name, row["error"], "", ""]
        if "error" in row
        else [name, f"{row['share']:.2%}", f"{loading.AT_MOST:.0%}", f"{row['epoch']:.1f}, {row['batches']}"]
        for name, row in record.items()
    ]
    return table(["config", "share of waiting", "at most", "seconds, batches"], rows)


def growth(rows: Sequence[Metrics]) -> str:
    """Fitted exponents beside the law."""
    cells = []
    for row in rows:
        slopes = [row["slopes"][key] for key in ("seconds", "grown_bytes")]
        cells.append(
            [
                f"{row['axis']}: {row['x'][0]:,} to {row['x'][-1]:,}",
                row["network"],
                f"{IMPLEMENTATIONS[row['implementation']].title}, {row['rule']}",
                *("-" if value is None else f"{value:.2f}" for value in slopes),
                f"{milliseconds(row['seconds'][0])} to {milliseconds(row['seconds'][-1])}",
                f"{row['grown_bytes'][0] / MB:,.0f} to {row['grown_bytes'][-1] / MB:,.0f}",
            ]
        )
    return table(
        ["axis", "network", "who", f"time ~ N^, law {LAW:g}", f"memory ~ N^, law {LAW:g}", "ms", "MB beyond imports"],
        cells,
    )


def machine(metrics: Metrics) -> str:
    """Where it was measured."""
    facts, found = metrics["machine"], metrics["versions"]
    flags = [name for name, there in facts["flags"].items() if there]
    missing = [name for name, there in facts["flags"].items() if not there]
    loads = [record["load_average"] for record in metrics["workloads"].values()]
    lines = [
        f"{facts['cpu']}, {facts['cores']} cores, {facts['threads']} used, {facts['memory_gb']} GB, "
        f"{', '.join(flags) or 'no vector extensions'}"
        + (f"; without {', '.join(missing)}" if missing else "")
        + (f"; {facts['accelerator']}" if "accelerator" in facts else ""),
        f"load average {facts['load_average']} at the start"
        + (f", {' '.join(map(str, loads))} after the workloads" if loads else ""),
        ", ".join(f"{name} {number}" for name, number in found.items()),
        f"digits: {metrics['data']}",
        f"`{metrics['command']}`",
    ]
    if metrics["not_installed"]:
        lines.append("not installed, so not measured: " + ", ".join(metrics["not_installed"]))
    return "\n".join(f"- {line}" for line in lines)


def bounds(metrics: Metrics) -> str:
    """The targets for speed and memory, and what was measured."""
    extension = metrics["machine"]["flags"]["amx_bf16"]
    rows = []
    for what, value, unit, portable, amx, stretch, at_least in _bounds(metrics["workloads"]):
        if value is None:
            continue
        sign, rank = ("at least", 1) if at_least else ("at most", -1)
        bound = amx if extension and amx is not None else portable
        if bound is None:
            continue
        met = "yes" if rank * value >= rank * bound else "no"
        limits = ["" if limit is None else f"{limit:g}{unit}" for limit in (portable, amx, stretch)]
        rows.append(
            [what, f"{value:.2f}{unit}", *(limit and f"{sign} {limit}" for limit in limits[:2]), limits[2], met]
        )
    header = ["workload", "measured", "target without AMX", "with AMX", "stretch goal", "met here"]
    return table(header, rows) if rows else ""


def _bounds(
    records: Mapping[str, Metrics],
) -> Iterator[tuple[str, float | None, str, float | None, float | None, float | None, bool]]:
    """What, measured, unit, the three targets, and whether more is better."""
    for name, limits in {
        "bptt-784-196-784": (2.3, 3.2, 9),
        "bptt-784-1024-784": (1.7, 3.5, 8),
        "bptt-58500-2048-196": (2.5, 6, 12),
        "inference-784-196-784": (2.5, 4.5, 7),
    }.items():
        yield f"{name}, x snnTorch", speed(records.get(name), "ours", "snntorch"), "x", *limits, True
    for name, least in {"bptt-784-196-784": 4.5, "bptt-784-1024-784": 5, "bptt-58500-2048-196": 8}.items():
        ratio = speed(records.get(name), "mixed", "snntorch")
        yield f"{name} in mixed precision, x snnTorch", ratio, "x", None, least, None, True
    for name in ("bptt-784-196-784", "inference-784-196-784"):
        yield f"{name}, x the fastest library", _fastest_library(records.get(name)), "x", 1, None, None, True
    yield "bptt-58500-2048-196, peak", _peak(records.get("bptt-58500-2048-196")), " GB", 6, None, None, False
    for name, limits in {"online-784-196-784": (6, 15, 40), "online-784-1024-784": (9, 12, 30)}.items():
        yield f"{name}, x naive traces", speed(records.get(name), "ours", "naive"), "x", *limits, True
    large = records.get("online-58500-2048-196")
    yield "online-58500-2048-196, peak", _peak(large), " GB", 4, None, None, False
    yield "online-58500-2048-196, a batch", _median(large), " s", 60, 10, 5, False
    for name in ("bptt-784-196-784", "bptt-784-1024-784", "bptt-58500-2048-196"):
        record = records.get(name)
        median = _median(record)
        ratio = None if record is None or median is None else median / record["floor"]["seconds"]
        yield f"{name}, x float32 floor", ratio, "x", 1.5, 1.6, 1.2, False
    for name, record in records.items():
        share = poisson_share(record)
        yield f"{name}, Poisson input", None if share is None else 100 * share, " %", 20, None, 5, False


def _median(record: Metrics | None) -> float | None:
    return record["implementations"].get("ours", {}).get("median") if record else None


def _peak(record: Metrics | None) -> float | None:
    peak = record["implementations"].get("ours", {}).get("peak_bytes") if record else None
    return None if peak is None else peak / GB


def _fastest_library(record: Metrics | None) -> float | None:
    ratios = [ratio for other in (*LIBRARIES, *BY_HAND) if (ratio := speed(record, "ours", other)) is not None]
    return min(ratios, default=None)

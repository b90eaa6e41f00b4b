"""What benchmarks/gpu.py found on a GPU, as markdown; what a run did not get to is left out."""

from collections.abc import Iterator, Mapping
from typing import Any

from snn_synth.experiments.bench.implementations import IMPLEMENTATIONS
from snn_synth.experiments.bench.report import GB, milliseconds, speed, table

Metrics = Mapping[str, Any]


def section(metrics: Metrics) -> str:
    """Everything but the workloads' own tables."""
    found = metrics["gpu"]
    parts = {
        "Targets": aims(metrics),
        "Checks on the GPU": checks(metrics),
        "A step as one CUDA graph": graphs(found.get("graph", {})),
        "Share of the measured limits": shares(metrics),
        "Bandwidth of the kernels": scans(found),
        "Products with spikes": products(found.get("products", {})),
        "The paper's full size, 58500-2048-196": full_size(found.get("full-size", {})),
        "`snn-synth fit` on the GPU, 20 batches": fits(found.get("fits", {})),
    }
    return "\n\n".join(f"### {title}\n\n{text}" for title, text in parts.items() if text)


def aims(metrics: Metrics) -> str:
    """The targets for a GPU, and what was measured."""
    rows = [
        [what, f"{value:.3g}{unit}", f"{sign} {bound:g}{unit}", "yes" if rank * value >= rank * bound else "no"]
        for what, value, unit, bound, rank in _aims(metrics)
        for sign in ["at least" if rank > 0 else "at most"]
    ]
    return table(["what", "measured", "target", "met here"], rows) if rows else ""


def _aims(metrics: Metrics) -> Iterator[tuple[str, float, str, float, int]]:
    """What, measured, unit, target, and 1 where more is better, else -1."""
    found, small = metrics["gpu"], "bptt-784-196-784"
    ratio = speed(metrics["workloads"].get(small), "graph", "snntorch")
    ratio = ratio or found.get("graph", {}).get(small, {}).get("faster", {}).get("graph")
    if ratio:
        yield f"{small} as a graph, x snnTorch", ratio, "x", 30, 1
    if seconds := found.get("full-size", {}).get("epoch_seconds"):
        yield "epoch of 58500-2048-196", seconds, " s", 20, -1
    rows, bandwidth = found.get("scans", {}).get("rows", {}), found.get("limits", {}).get("bandwidth")
    if rows and bandwidth:
        share = min(row["bandwidth"] for row in rows.values()) / bandwidth
        yield "bandwidth of the slowest scan", 100 * share, " %", 50, 1


def checks(metrics: Metrics) -> str:
    """How many passed, and all that did not."""
    every = [one for stage in metrics["gpu"].values() for one in stage.get("checks", [])]
    failed = [one for one in every if not one["ok"]]
    lines = [f"{len(every) - len(failed)} of {len(every)} passed."] if every else []
    lines += [f"- {one['name']}: {one['found']:g}, at most {one['bound']:g}" for one in failed]
    for name, wrong in metrics["gpu"].get("contract", {}).get("failed", {}).items():
        lines.append(f"- `{name}`: {wrong}")
    lines += [f"- stage {name} did not end: {why}" for name, why in metrics.get("skipped", {}).items()]
    return "\n".join(lines)


def graphs(found: Metrics) -> str:
    """Times and launches of a step."""
    rows = [
        [
            name,
            IMPLEMENTATIONS[key].title,
            milliseconds(row["median"]),
            f"{found[name]['faster'][key]:.2f}",
            str(found[name]["launches"][key]),
        ]
        for name in found
        if name != "checks"
        for key, row in found[name]["times"].items()
    ]
    return table(["workload", "implementation", "ms", "x the library", "launches"], rows) if rows else ""


def shares(metrics: Metrics) -> str:
    """Products of each workload in a second, beside what the GPU was measured to do."""
    limits = metrics["gpu"].get("limits", {})
    rows = []
    for name, record in metrics["workloads"].items():
        times = [
            row["median"] for key in ("ours", "graph") if "median" in (row := record["implementations"].get(key, {}))
        ]
        if times and limits:
            done = record["floor"]["flops"] / min(times)
            share = [f"{done / limits[kind]:.1%}" for kind in ("float32_flops", "bfloat16_flops")]
            rows.append([name, milliseconds(min(times)), f"{done / 1e12:.2f}", *share])
    header = ["workload", "ms", "TF/s", "of measured float32", "of measured bfloat16"]
    return table(header, rows) if rows else ""


def scans(found: Metrics) -> str:
    """Bandwidth of each kernel, by the fewest bytes, beside that of a copy."""
    measured, limit = found.get("scans", {}), found.get("limits", {}).get("bandwidth")
    rows = [
        [
            name,
            milliseconds(row["seconds"]),
            f"{row['bandwidth'] / GB:,.0f}",
            f"{row['bandwidth'] / limit:.0%}" if limit else "",
        ]
        for name, row in measured.get("rows", {}).items()
    ]
    if not rows:
        return ""
    steps, batch, neurons = measured["shape"]
    text = table(["kernel", "ms", "GB/s", "of a copy's"], rows)
    return f"{text}\n\nT={steps}, B={batch}, {neurons} neurons." + (
        f" A copy: {limit / GB:,.0f} GB/s." if limit else ""
    )


def products(found: Metrics) -> str:
    """Time of each way to multiply, forward and for the weights' gradient."""
    rows = [
        [shape, way, milliseconds(row["forward"]), milliseconds(row["gradient"])]
        for shape, ways in found.get("rows", {}).items()
        for way, row in ways.items()
    ]
    return table(["rows x inputs x outputs", "by", "forward, ms", "gradient, ms"], rows) if rows else ""


def full_size(found: Metrics) -> str:
    """Memory and time of a step, and an epoch."""
    rows = [
        [title, milliseconds(row["seconds"]), f"{row['bytes'] / GB:.2f}"]
        if "seconds" in row
        else [title, row["error"], ""]
        for title, row in found.get("peaks", {}).items()
    ]
    if not rows:
        return ""
    text = table(["implementation", "ms a step", "peak GB"], rows)
    if "epoch_seconds" not in found:
        return text
    return f"{text}\n\nAn epoch of 70 batches of 50, sent to the GPU and encoded there: {found['epoch_seconds']:.3g} s."


def fits(found: Metrics) -> str:
    """Configs that were trained for some batches."""
    rows = [
        [name, f"{row['seconds']:g}", "yes" if row["exit_code"] == 0 else f"no: {row['error']}"]
        for name, row in found.get("rows", {}).items()
    ]
    return table(["config", "seconds, most of it the start", "ended well"], rows) if rows else ""

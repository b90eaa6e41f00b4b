"""Write docs/performance.md, and its picture, from benchmarks/results/*.json: the page is never edited by hand."""

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snn_synth import plot
from snn_synth.errors import InputError
from snn_synth.experiments.bench import gpu_report, growth, picture, rates, report
from snn_synth.files import atomic_write

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE, PICTURE = ROOT / "benchmarks" / "results", ROOT / "docs" / "performance.md", "images/growth.png"
ERRORS, EARLIER = RESULTS / "mixed" / "errors.json", RESULTS / "earlier"

HEAD = """\
# Performance

How long a training step and an inference take, how much memory they need, and how exact they are, beside snnTorch,
other libraries and a loop written in PyTorch, on the same network, weights and data. Ratios are of medians within one
run. [Numbers at a glance](numbers.md#speed) has a short table. To measure your own machine:

```bash
snn-synth bench
```

This page is written by `python benchmarks/report.py` from `benchmarks/results/`: do not edit it.
[benchmarks/README.md](../benchmarks/README.md) says how to install the other libraries, and how to run on a GPU.
"""

READ = """\
## How to read the tables

- **Names** are the rule and the sizes: `bptt-784-196-784` is one training step of backpropagation through time,
  `online-...` one batch with an update at each of its T time steps, `inference-...` the output spikes of a batch.
- **Same work.** All implementations have the same weights, input spikes, targets, B and T: leak 0.1, threshold 1, reset
  to zero before the next step, no bias, float32. The loss is half the squared, masked error of the potential before
  reset, summed over neurons, mean over B and T. SpikingJelly, norse and sinabs record the potential after the
  reset; what it was before is reconstructed, as 0.9 times the recorded one of the step before plus the current.
  Each library keeps its own surrogate where ours cannot be given to it (SpikingJelly: sigmoid; norse: SuperSpike;
  sinabs: exponential); the loss does not depend on it.
- **Checked before it is timed.** An implementation's loss must agree with that of snn_synth's reference functions to a
  relative 1e-4; with the online rule, so must the norms of its gradients. One that differs or fails is not timed.
- **Weights** come from a brief training (150 batches; 30 for 784-1024-784, 6 for 58500-2048-196), so that hidden
  neurons fire; the rates stand below each table. **Data** are MNIST digits, Poisson-encoded; a sample of 58,500
  inputs is 75 digits in a row, cut to size, and its 196 targets are spikes of one digit in small: real sparsity,
  but no sound.
- **Optimizer**: Adam as `torch.optim.Adam(parameters)` gives it for the other libraries, as in their examples, and
  `fused=True` for ours. The input spikes are made beforehand; what they cost has a table of its own.
- **Times** are wall-clock medians of rounds in which each implementation takes its turn, after a warm-up (which holds
  compilation). Ratios are of medians, to the first implementation of the table. `first steps x 20` means that the first
  three of 60 time steps were timed, and multiplied.
- **Floor**: the least time that float32 products and Adam can take on that machine, a roofline. Flops: 2TBnm for a
  layer of n inputs and m neurons forward, as many for its weights' gradient, as many for the error passed down by the
  second layer (five products; two in inference). Adam: 28 bytes a weight and update (reads weight, gradient, two
  moments; writes all but the gradient), T updates with the online rule. Peak flops are the best of a square product
  and of the workload's own shapes; bandwidth is that of `a += b` on as much memory as the optimizer's state takes.
  Both are measured before and after the rounds, and the better one counts. Neurons, loss and traces are left out.
- **Memory** is the peak of a fresh process that runs one implementation (Linux: its resident set; CUDA: PyTorch's
  allocator), and how much of it came after all libraries were loaded. It holds weights, optimizer, data and one
  batch's activations.
- **Precision** errors are relative distances of the gradient from that in float64 at the same weights, for each
  layer; spikes changed is the share of hidden and output spikes that float64 does not have.
- **Parts**: a training step together with its Poisson input; one part of the numba kernels at a time is replaced by
  the reference function (Adam: by `torch.optim.Adam` as it comes). The parts take time from one another, so their
  shares do not add up.
- **Hidden neurons that fire**: the first layer's weights are scaled until so many do. Products with spikes are computed
  in one of three ways: in float32; of a list of the spikes; or, with AMX, of tiles of bfloat16 parts, three of which
  make a float32. Which is fastest is measured once for each size and share of spikes, and kept with the compiled
  kernels and in a run's checkpoint (`kernels/cpu/choice.py`). So is whether the online rule sums traces, or corrects
  a product of matrices by those of the neurons that have fired (`kernels/cpu/traces.py`).
- The table of `epyc-2-cores` was measured last; it has all but that the online rule fetches weights earlier. Since the
  other two on a CPU, kernels of a network run one right after the other, errors are passed down by what is new in a
  time step, lists are made faster, the online rule lists its input once a batch, kernels compile faster, and on AMX a
  layer's product and scan are one pass. Since the one on AMX, the corrected product has come, a step does less in
  Python, and kernels load without numba's compiler.
- **Two speeds of one machine**: how soon one core of the virtual machine `epyc-2-cores` has what the other wrote
  changes within minutes, probably with where its host runs them. The online rule, whose threads share most, takes 23 ms
  a batch in its own table and 39 in that of precisions, in one run; points of the curves that lie high may have the
  same reason. Implementations take turns, so ratios within a table suffer less.
- **Mixed precision**: spikes are exact, and gradients are products in bfloat16 where the processor has it. The configs
  of the autoencoders and of speech use it (`precision: mixed`); the test errors of whole runs stand above.
- **Waiting for data**, and `fit` on a GPU: `a2i_fsdd` had batches of 50 when it was measured; today's are of 10.
- **Growth**: N^p is fitted to all points of a curve. The law for large N is p = 1 everywhere; what does not depend
  on N (weights and Adam against T and B, the data against hidden neurons) makes p smaller, caches that overflow
  make it larger.
"""


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole page: a picture and a table for each machine, by the name of its file; then all that was measured."""
    lead, details = [HEAD], [READ]
    for name, metrics in results.items():
        lead.append(f"## {name}\n\n{report.machine(metrics)}\n")
        if "gpu" in metrics:
            lead.append(gpu_report.section(metrics) + "\n")
        else:
            lead += [f"![How many times as fast as the first]({_picture(name)})\n", f"{report.bounds(metrics)}\n"]
        details.append(f"## All of {name}\n\n{report.measurements(metrics)}\n")
        if "rates" in metrics:
            details.append(f"![Time against the share of hidden neurons that fire]({_picture(name, 'rates')})\n")
        if "growth" in metrics and name == _drawn(results):
            details.append(f"![Time and memory against T, B, hidden neurons and inputs]({PICTURE})\n")
    compared = [earlier(metrics) for metrics in read(EARLIER).values()]
    return "\n".join([*lead, mixed(json.loads(ERRORS.read_text())), *compared, *details])


def mixed(found: Mapping[str, Any]) -> str:
    """The test errors of whole runs, in float32 and in mixed precision."""
    rows = [
        [f"`{config}`", *(_spread(values) for values in by_precision.values())]
        for config, by_precision in found["errors"].items()
    ]
    table = report.table(
        ["standardized test MSE, mean of three seeds (least, most)", "float32", "mixed precision"], rows
    )
    emulated = (
        " It has no products in bfloat16; for mixed precision, operands were rounded to bfloat16, then multiplied and "
        "added up in float32, as AMX does (`benchmarks/rounded.py`)."
    )
    return (
        f"## What mixed precision does to the error\n\n{table}\n\n"
        "The two means differ by less than the three runs in float32 do. Measured by `python "
        f"benchmarks/mixed.py` on {found['cpu']}.{emulated if found['bfloat16'] == 'emulated' else ''}\n"
    )


def earlier(metrics: Mapping[str, Any]) -> str:
    """The default path's times beside those of an earlier version."""
    rows = [
        [name, f"{one['earlier_ms']:.1f}", f"{one['now_ms']:.1f}", f"{one['ratio']:.3f}", _quartiles(one["ratios"])]
        for name, one in metrics["steps"].items()
    ]
    table = report.table(["step", "earlier, ms", "now, ms", "median ratio of pairs", "its quartiles"], rows)
    facts = metrics["machine"]
    return (
        f"## The paper's neurons beside an earlier version\n\n"
        "Steps with the default neurons, beside the version that had no others. We ask for a median of at most "
        f"1.03.\n\n{table}\n\n"
        f"Commit {metrics['now']} beside {metrics['earlier']}, by `{metrics['command']}`: processes of both in "
        f"turns, on {facts['cores']} cores of {facts['cpu']}.\n"
    )


def _quartiles(values: list[float]) -> str:
    low, _, high = statistics.quantiles(values, method="inclusive")
    return f"{low:.3f} to {high:.3f}"


def _spread(values: list[float]) -> str:
    return f"{sum(values) / len(values):.5f} ({min(values):.5f}, {max(values):.5f})"


def _picture(name: str, what: str = "speed") -> str:
    return f"images/{what}-{name}.png"


def _drawn(results: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The machine whose growth is in the picture."""
    return next((name for name, metrics in results.items() if "growth" in metrics), None)


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """The results in a folder, by the names of their files."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def main() -> None:
    """Write the page and the picture."""
    results = read(RESULTS)
    if not results:
        raise InputError(
            f"Expected results in {RESULTS}, got none: copy runs/bench/metrics.json there, named as the machine"
        )
    with atomic_write(PAGE) as draft:
        draft.write_text(page(results))
    if name := _drawn(results):
        plot.save_figure(growth.draw(results[name]["growth"]), PAGE.parent / PICTURE)
    for name, metrics in results.items():
        if "gpu" not in metrics:
            plot.save_figure(picture.draw(metrics["workloads"]), PAGE.parent / _picture(name))
        if "rates" in metrics:
            plot.save_figure(rates.draw(metrics["rates"]), PAGE.parent / _picture(name, "rates"))
    print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main()

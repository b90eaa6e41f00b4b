r"""The least time that a workload can take on a machine, from what the machine was measured to do.

.. math:: t = \frac{\text{flops of the products}}{\text{peak}} + \frac{\text{bytes of Adam}}{\text{bandwidth}}

A layer of n inputs and m neurons takes :math:`2TBnm` flops forward, as many for the gradient of its weights, and, but
for the first layer, as many for the error that it passes down: five products for two layers. Adam reads the weight,
its gradient and two moments, and writes all but the gradient: 28 bytes a weight in float32; with the online rule, T
times. What neurons, loss and traces cost is left out: it is what the ratio shows.
"""

from collections.abc import Callable

import torch

from snn_synth.experiments.bench.measure import timed
from snn_synth.experiments.bench.workloads import Workload

ADAM_BYTES = 28
STATE_BYTES = 16  # weight, gradient, two moments
SQUARE = 2048
TRIES = 5
PATIENCE = {"cpu": 50e9, "cuda": 5e12}  # flops of the largest product that is tried


def flops(workload: Workload) -> int:
    """Floating-point operations of the products of one step.

    Example:
        >>> from snn_synth.experiments.bench.workloads import find
        >>> flops(find("bptt-784-196-784"))  # 2 * 15 * 100 * 784 * 196, five times
        2304960000
    """
    inputs, hidden, outputs = workload.sizes
    first, second = 2 * inputs * hidden, 2 * hidden * outputs
    training = workload.rule != "inference"
    return workload.num_steps * workload.batch * (first * (2 if training else 1) + second * (3 if training else 1))


def adam_bytes(workload: Workload) -> int:
    """Bytes that the updates of one step have to move.

    Example:
        >>> from snn_synth.experiments.bench.workloads import find
        >>> adam_bytes(find("bptt-784-196-784")), adam_bytes(find("online-784-196-784"))
        (8605184, 129077760)
    """
    updates = {"bptt": 1, "online": workload.num_steps, "inference": 0}[workload.rule]
    return updates * ADAM_BYTES * weights(workload)


def weights(workload: Workload) -> int:
    """Number of weights."""
    inputs, hidden, outputs = workload.sizes
    return hidden * (inputs + outputs)


def seconds(workload: Workload, peak: float, bandwidth: float) -> float:
    """The floor, given flops and bytes a second.

    Example:
        >>> from snn_synth.experiments.bench.workloads import find
        >>> round(seconds(find("bptt-784-196-784"), peak=100e9, bandwidth=20e9), 5)
        0.02348
    """
    return flops(workload) / peak + adam_bytes(workload) / bandwidth


def measure(workload: Workload, device: str = "cpu") -> tuple[float, float]:
    """Peak flops and bytes a second."""
    return measure_peak(workload, device), measure_bandwidth(workload, device)


def measure_peak(workload: Workload, device: str = "cpu") -> float:
    """Flops a second of the best float32 product: square, or of one of the workload's own shapes."""
    inputs, hidden, outputs = workload.sizes
    rows = workload.num_steps * workload.batch
    shapes = [
        (SQUARE, SQUARE, SQUARE),
        *((rows, n, m) for n, m in ((inputs, hidden), (hidden, outputs))),
        (hidden, rows, inputs),
    ]
    best = 0.0
    for n, k, m in shapes:
        n = min(n, max(1, int(PATIENCE[device] / (2 * k * m))))
        a, b, out = (torch.randn(size, device=device) for size in ((n, k), (k, m), (n, m)))
        best = max(best, 2 * n * k * m / _fastest(lambda a=a, b=b, out=out: torch.mm(a, b, out=out), device))  # type: ignore[misc]
    return best


def measure_bandwidth(workload: Workload, device: str = "cpu") -> float:
    """Bytes a second of ``a += b`` (two read, one written) on as much memory as the optimizer's state takes.

    A small network's state stays in the cache, whose bandwidth then is the one that counts.
    """
    size = STATE_BYTES * weights(workload) // 8  # two arrays of float32
    a, b = torch.zeros(size, device=device), torch.ones(size, device=device)
    return 12 * size / _fastest(lambda: a.add_(b), device)


def _fastest(step: Callable[[], object], device: str) -> float:
    """Seconds of the fastest of some tries, each long enough for the clock."""
    step()
    calls = max(1, int(0.02 / max(timed(step, device), 1e-6)))

    def repeated() -> None:
        for _ in range(calls):
            step()

    return min(timed(repeated, device) for _ in range(TRIES)) / calls

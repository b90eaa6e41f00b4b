"""A training step as one CUDA graph: the host starts one graph instead of each kernel."""

from collections.abc import Callable
from functools import partial

import torch

from snn_synth.errors import InputError

WARM_UP = 3  # steps before the capture: they compile kernels, and make what is kept


def captured(step: Callable[[], object]) -> Callable[[], object]:
    """The same step on the same tensors, started as one CUDA graph.

    Small networks wait for the host, which starts each kernel by itself; a graph is started once
    (``docs/performance.md`` has the times). Put the next batch into the tensors of the first by ``copy_``.

    Args:
        step: takes nothing, and trains on tensors that stay where they are; it waits for nothing on the GPU (no
            ``.item()``). Its optimizer has ``capturable=True``. It is run three times before it is captured.

    Returns:
        A function that runs the step once more and gives what the captured call gave: the same tensors, with new
        values. NaN and infinity are not looked for.

    Raises:
        InputError: where there is no GPU.

    Example:
        >>> from snn_synth.learning import bptt_step, captured
        >>> from snn_synth.models import AESNN
        >>> if torch.cuda.is_available():
        ...     net, spikes = AESNN(4, 3).cuda(), torch.ones(5, 1, 4, device="cuda")
        ...     optimizer = torch.optim.Adam(net.parameters(), fused=True, capturable=True)
        ...     step = captured(lambda: bptt_step(net, spikes, spikes, optimizer))
        ...     loss = step()
    """
    if not torch.cuda.is_available():
        raise InputError("Expected a GPU for a CUDA graph, got a machine without one: call the step itself")
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = step()
    return partial(_replay, graph, result, step)


def _replay(graph: torch.cuda.CUDAGraph, result: object, step: Callable[[], object]) -> object:
    """``step`` is not called: it owns the weights and moments that the graph works on, which must not be freed."""
    graph.replay()
    return result

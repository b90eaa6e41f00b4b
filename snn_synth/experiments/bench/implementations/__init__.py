"""The implementations that are compared, one file each: the same network, data, batch, T and weights."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.implementations import loop, naive, norse, ours, sinabs, snntorch, spikingjelly
from snn_synth.experiments.bench.implementations.common import Run

__all__ = ["IMPLEMENTATIONS", "Implementation", "Run"]


@dataclass(frozen=True)
class Implementation:
    """A way to run a workload.

    Attributes:
        title: what the tables call it.
        build: makes it from a case.
        package: what it needs beyond our own dependencies.
        device: on which alone it runs.
    """

    title: str
    build: Callable[[Case], Run]
    package: str | None = None
    device: str | None = None

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        return self.package is None or importlib.util.find_spec(self.package) is not None

    def takes_part(self, device: str) -> bool:
        """Whether it can run there."""
        return self.installed and self.device in (None, device)


IMPLEMENTATIONS = {
    "snntorch": Implementation("snnTorch", snntorch.build),
    "spikingjelly": Implementation("SpikingJelly, multi-step", spikingjelly.build, "spikingjelly"),
    "norse": Implementation("norse, LIFBox", norse.build, "norse"),
    "sinabs": Implementation("sinabs", sinabs.build, "sinabs"),
    "loop": Implementation("plain PyTorch loop", loop.build),
    "compile": Implementation("torch.compile of that loop", loop.build_compiled),
    "naive": Implementation("naive stored traces", naive.build),
    "reference": Implementation("snn_synth, reference", ours.build_reference),
    "ours": Implementation("snn_synth", ours.build),
    "mixed": Implementation("snn_synth, mixed precision", ours.build_mixed),
    "graph": Implementation("snn_synth, one CUDA graph", ours.build_captured, device="cuda"),
}

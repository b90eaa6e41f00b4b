"""Who takes part, each in a file: the same network, data, batch, T and weights."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.contenders import loop, naive, norse, ours, sinabs, snntorch, spikingjelly
from snn_synth.experiments.bench.contenders.common import Run

__all__ = ["CONTENDERS", "Contender", "Run"]


@dataclass(frozen=True)
class Contender:
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


CONTENDERS = {
    "snntorch": Contender("snnTorch", snntorch.build),
    "spikingjelly": Contender("SpikingJelly, multi-step", spikingjelly.build, "spikingjelly"),
    "norse": Contender("norse, LIFBox", norse.build, "norse"),
    "sinabs": Contender("sinabs", sinabs.build, "sinabs"),
    "loop": Contender("plain PyTorch loop", loop.build),
    "compile": Contender("torch.compile of that loop", loop.build_compiled),
    "naive": Contender("naive stored traces", naive.build),
    "reference": Contender("snn_synth, reference path", ours.build_reference),
    "ours": Contender("snn_synth", ours.build),
    "mixed": Contender("snn_synth, mixed precision", ours.build_mixed),
    "graph": Contender("snn_synth, one CUDA graph", ours.build_captured, device="cuda"),
}

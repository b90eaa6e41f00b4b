"""Whether other libraries give the spikes of our networks from NIR files: the table of docs/nir.md.

    python benchmarks/nir_readers.py

It needs the libraries of benchmarks/requirements.txt (missing ones are left out and named), MNIST and FSDD in
SNN_SYNTH_DATA, and writes benchmarks/results/nir/readers.json. `table` makes the table of docs/nir.md from it.
"""

import importlib.util
import json
import logging
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import torch
from torch import Tensor

from snn_synth.data import FSDD, MNIST, build_front_end
from snn_synth.encoding import poisson_encode
from snn_synth.experiments.record import versions
from snn_synth.experiments.robustness import spread
from snn_synth.files import atomic_write
from snn_synth.interop.nir import to_nir
from snn_synth.learning import bptt_step
from snn_synth.models import AESNN, AudioToImage, ConvAESNN

RESULTS = Path(__file__).parent / "results" / "nir" / "readers.json"
SAMPLES = 100
Run = Callable[[Tensor], Tensor]


def by_steps(network: Any) -> Run:
    """Spikes ``[T, B, ...]`` of a network that takes a time step and its state, and returns both."""

    def run(spikes: Tensor) -> Tensor:
        state, out = None, []
        for step in spikes:
            fired, state = network(step, state)
            out.append(fired)
        return torch.stack(out)

    return run


def norse(file: Path, batch: int) -> Run:
    """As docs/nir.md says."""
    import norse.torch

    return by_steps(norse.torch.from_nir(nir.read(file), dt=1e-4))


def spikingjelly(file: Path, batch: int) -> Run:
    """As docs/nir.md says."""
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return by_steps(import_from_nir(file, dt=1e-4))


def snntorch(file: Path, batch: int) -> Run:
    """As docs/nir.md says."""
    from snntorch.import_nir import import_from_nir

    return by_steps(import_from_nir(nir.read(file)))


def sinabs(file: Path, batch: int) -> Run:
    """As docs/nir.md says."""
    from sinabs.activation import MembraneReset, SingleSpike
    from sinabs.layers import IAFSqueeze, LIFSqueeze
    from sinabs.nir import from_nir

    network = from_nir(nir.read(file), batch_size=batch)
    for layer in network.modules():
        if isinstance(layer, LIFSqueeze | IAFSqueeze):
            layer.spike_fn, layer.reset_fn, layer.min_v_mem = SingleSpike, MembraneReset(), None

    def run(spikes: Tensor) -> Tensor:
        fired, _ = network(spikes.transpose(0, 1).flatten(0, 1))
        return fired.unflatten(0, (batch, len(spikes))).transpose(0, 1)

    return run


READERS: dict[str, tuple[str, Callable[[Path, int], Run]]] = {
    "snnTorch": ("nir", snntorch),
    "norse": ("norse", norse),
    "SpikingJelly": ("spikingjelly", spikingjelly),
    "sinabs": ("sinabs", sinabs),
}


def agreement(network: Any, reader: str, inputs: Tensor, expected: Tensor) -> dict[str, int]:
    """Export a network, run it in a library, and count where its spikes are ours.

    Args:
        network: of ours.
        reader: of ``READERS``.
        inputs: spikes of one time step after the other, in the shape of the graph's input.
        expected: our output spikes, ``[T, B, N]``.

    Returns:
        Inputs, those whose spikes are equal at every step, spikes of ours, places for a spike, and those that differ.
    """
    dialect, read = READERS[reader]
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        nir.write(file := Path(folder, "network.nir"), to_nir(network, dialect))
        differ = read(file, inputs.shape[1])(inputs) != expected
    return {
        "inputs": expected.shape[1],
        "equal_inputs": int((~differ).all(2).all(0).sum()),
        "spikes": int(expected.sum()),
        "places": expected.numel(),
        "differ": int(differ.sum()),
    }


def trained_convolutions(generator: torch.Generator) -> ConvAESNN:
    """An autoencoder of convolutions that has seen 2,000 digits: its first weights let too few neurons fire."""
    torch.manual_seed(0)
    network = ConvAESNN((28, 28), widths=[16, 8])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for batch in (MNIST(train=True, download=False).images[:2000].flatten(1).float() / 255).split(20):
        spikes = poisson_encode(batch, 15, generator=generator)
        bptt_step(network, spikes, spikes, optimizer)
    return network.eval()


@torch.no_grad()
def cases() -> dict[str, tuple[Any, Tensor, Tensor]]:
    """Networks, inputs and our output spikes, by a name."""
    ae, a2i = AESNN.from_pretrained("mnist-portable"), AudioToImage.from_pretrained("fsdd")
    generator = torch.Generator().manual_seed(0)

    def noise(steps: int, size: int) -> Tensor:
        rates = 0.5 * torch.rand(SAMPLES, 1, generator=generator)
        return (torch.rand(steps, SAMPLES, size, generator=generator) < rates).float()

    digits = MNIST(train=False, download=False).images[:SAMPLES].flatten(1).float() / 255
    corpus, front_end = FSDD(download=False), build_front_end(a2i.front_end)
    words = spread(corpus, torch.nonzero(corpus.official_test_mask).flatten().tolist(), SAMPLES)
    shown = torch.stack([front_end(corpus[word][0], corpus.sample_rate) for word in words]).flatten(1)
    found: dict[str, tuple[Any, Tensor, Tensor]] = {}
    with torch.enable_grad():
        convolutions = trained_convolutions(torch.Generator().manual_seed(0))
    for name, spikes in (
        ("`mnist-portable`, random spikes, 15 steps", noise(15, 784)),
        ("`mnist-portable`, MNIST's test digits, 15 steps", poisson_encode(digits, 15, generator=generator)),
    ):
        found[name] = ae, spikes, ae(spikes).spikes
    for name, spikes in (
        ("`fsdd`, random spikes, 30 steps", noise(30, 3900)),
        ("`fsdd`, FSDD's test words, 30 steps", poisson_encode(shown, 30, generator=generator)),
    ):
        out = a2i.autoencoder.decode(a2i.audiocoder(spikes).spikes)
        found[name] = a2i, spikes.unflatten(2, (1, 39, 100)), out
    spikes = poisson_encode(digits, 15, generator=generator)
    name = "`ConvAESNN` after 100 batches, MNIST's test digits, 15 steps"
    found[name] = convolutions, spikes.unflatten(2, (1, 28, 28)), convolutions(spikes).spikes
    return found


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = ["| network, inputs | read by | inputs with equal spikes | differing spikes |", "|---|---|---|---|"]
    for case, readers in results["cases"].items():
        for reader, found in readers.items():
            if "refused" in found:
                lines.append(f"| {case} | {reader} | not read | |")
                continue
            share = 1 - found["differ"] / found["places"]
            lines.append(
                f"| {case} | {reader} | {found['equal_inputs']} of {found['inputs']} | {found['differ']:,} of "
                f"{found['places']:,} places ({found['spikes']:,} spikes): {share:.4%} equal |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure all, and write the results."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    results: dict[str, Any] = {"cases": {}, "versions": versions()}
    for case, (network, inputs, expected) in cases().items():
        results["cases"][case] = {}
        for reader in READERS:
            if importlib.util.find_spec(reader.lower()) is None:
                print(f"{reader} is not installed: benchmarks/README.md")
                continue
            try:
                found: dict[str, Any] = agreement(network, reader, inputs, expected)
            except ValueError as error:
                found = {"refused": str(error)}
            results["cases"][case][reader] = found
    with atomic_write(RESULTS) as draft:
        draft.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()

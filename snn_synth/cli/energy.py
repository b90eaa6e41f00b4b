"""``snn-synth energy``."""

import json
import shlex
from time import perf_counter
from typing import Any

from snn_synth.cli.parsers import PARSERS
from snn_synth.errors import InputError
from snn_synth.evaluation import inference_layers, total_cost
from snn_synth.evaluation.cost import PICOJOULES, SOURCE
from snn_synth.experiments import energy
from snn_synth.experiments.energy import Samples, Subject
from snn_synth.experiments.record import versions
from snn_synth.files import atomic_write
from snn_synth.models import AudioToImage
from snn_synth.models.pretrained import Pretrained, is_saved

STEPS = {True: 30, False: 15}  # of synthesize and of reconstruct, where neither a checkpoint nor a card says it


def run(argv: list[str]) -> None:
    """Count, print a table with the constants of the estimate, and write the numbers."""
    arguments = PARSERS["energy"]().parse_args(argv[1:])
    if arguments.samples < 1:
        raise InputError(f"Expected at least 1 sample, got {arguments.samples}")
    if arguments.out.exists() and not arguments.out.is_dir():
        raise InputError(f"Expected a folder for the results, got the file {arguments.out}")

    start = perf_counter()
    subject = load(arguments.model, arguments.num_steps, arguments.seed)
    samples = energy.find_samples(
        subject.model, arguments.data or usual_data(arguments.model, subject), arguments.samples
    )
    costs = energy.count_costs(subject, samples)
    total = total_cost(costs)
    found = by_neurobench(subject, samples) if arguments.neurobench else None
    content = {
        "shows": f"The cost of an inference: means over {len(samples.places)} {samples.name}.",
        "model": arguments.model,
        "samples": len(samples.places),
        "num_steps": subject.num_steps,
        "seed": subject.seed,
        "layers": costs,
        "all": total,
        "picojoules": PICOJOULES,
        "picojoules_from": SOURCE,
        "command": shlex.join(["snn-synth", *argv]),
        "seconds": round(perf_counter() - start, 1),
        "versions": versions(),
    }
    if found is not None:
        content |= {"neurobench": found, "versions": versions() | versions(["neurobench"])}
    with atomic_write(arguments.out / "metrics.json") as draft:
        draft.write_text(json.dumps(content, indent=2) + "\n")
    print(f"{arguments.model}: means over {len(samples.places)} {samples.name}, T = {subject.num_steps}\n")
    print(f"{energy.table(costs)}\n")
    print(estimate(total))
    if found is not None:
        print(f"\n{beside(found, total)}")
    print(f"\nWrote metrics.json into {arguments.out}")


def load(name: str, num_steps: int | None, seed: int | None) -> Subject:
    """The network of a shipped name, a folder, a model of the Hub or a checkpoint, and how it was run in its training.

    Raises:
        InputError: if it is none of them, or holds no network of spiking layers in time steps.
    """
    if is_saved(name):
        model: Any = Pretrained.from_pretrained(name)
        usual = energy.training_settings(name).get("num_steps") or STEPS[isinstance(model, AudioToImage)]
        subject = Subject(model, int(usual))
    else:
        from snn_synth.training import LitAudiocoder, load_checkpoint
        from snn_synth.training.spiking import LitSpiking

        module: Any = load_checkpoint(LitSpiking, name)
        model = module.audio_to_image() if isinstance(module, LitAudiocoder) else module.network
        subject = Subject(model, module.num_steps, module.max_rate, module.seed, module.code)
    inference_layers(model)  # refuses what has none
    given: dict[str, Any] = {"num_steps": num_steps, "seed": seed}
    return subject._replace(model=model.eval(), **{key: value for key, value in given.items() if value is not None})


def usual_data(name: str, subject: Subject) -> str:
    """What a network is shown if nothing is named: the test set of its training where a card says it."""
    return "fsdd" if isinstance(subject.model, AudioToImage) else energy.training_settings(name).get("images", "mnist")


def estimate(total: dict[str, float]) -> str:
    """The energy as text, with its constants and their source."""
    return (
        f"Energy of the arithmetic of one sample: {total['energy']:,.0f} nJ; of a conventional network of this size "
        f"{total['conventional_energy']:,.0f} nJ.\n"
        f"Counted with {PICOJOULES['addition']} pJ an addition (a synaptic operation is one) and "
        f"{PICOJOULES['product']} pJ a product (a membrane update and a\nmultiply-accumulate are one of each), 32-bit "
        f"floats. Reading from memory, which costs more, is left out.\nSource: {SOURCE}."
    )


def by_neurobench(subject: Subject, samples: Samples) -> dict[str, Any]:
    """What NeuroBench counts of the same spikes; an autoencoder's correctness is measured against its images."""
    from snn_synth.interop.neurobench import measure

    targets = None if isinstance(subject.model, AudioToImage) else samples.values
    return measure(subject.model, subject.encode(samples.values, samples.places), targets)


def beside(found: dict[str, Any], total: dict[str, float]) -> str:
    """NeuroBench's numbers as text, the operations beside ours."""
    counted = found["SynapticOperations"]
    sparsity = ", ".join(f"{name} {share:.4f}" for name, share in found["ActivationSparsityByLayer"].items())
    lines = [
        f"By NeuroBench: {counted['Effective_ACs']:,.0f} effective accumulates (ours {total['operations']:,.0f}), "
        f"{counted['Effective_MACs']:,.0f} effective multiply-accumulates, {counted['Dense']:,.0f} dense.",
        f"Activation sparsity {found['ActivationSparsity']:.4f} ({sparsity}); footprint {found['Footprint']:,} bytes.",
    ]
    if "MSE" in found:
        lines.append(f"Mean square error of the firing rates against the images {found['MSE']:.4f}.")
    return "\n".join(lines)

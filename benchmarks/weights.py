"""Write the trained models that come with the package, from the trials of `snn-synth reproduce`, with their cards."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from snn_synth.experiments.record import versions
from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.catalogue import EXPERIMENTS
from snn_synth.experiments.reproduce.trials import NETWORK, RESULT
from snn_synth.files import atomic_write
from snn_synth.models import ACSNN, AESNN, AudioToImage
from snn_synth.models.pretrained import Pretrained

WEIGHTS = Path(__file__).resolve().parents[1] / "snn_synth" / "models" / "weights"
SEED = 0
# Name, row of table 1, what it is, and its data with their licences.
SHIPPED: dict[str, tuple[str, str, str]] = {
    "mnist": ("table1-mnist", "Spiking autoencoder of handwritten digits", "MNIST (Y. LeCun, C. Cortes; CC BY-SA 3.0)"),
    "fashion-mnist": ("table1-fashion-1024", "Spiking autoencoder of clothes", "Fashion-MNIST (Zalando SE; MIT)"),
    "fsdd": (
        "table1-a2i-a",
        "Spoken digits to images: a spiking audiocoder and the decoder of a spiking autoencoder",
        "Free Spoken Digit Dataset (Z. Jackson and others; CC BY-SA 4.0), ten images of MNIST (CC BY-SA 3.0)",
    ),
}


def main(trials: Path) -> None:
    """Round each network to float16, measure it so on the test set, and write it with its card."""
    for name, (row, title, data) in SHIPPED.items():
        trial = EXPERIMENTS[row].arms["SNN best"]
        assert isinstance(trial, AutoencoderTrial | AudiocoderTrial)
        folder = WEIGHTS / name
        made = json.loads((trials / trial.key(SEED) / RESULT).read_text())
        model = network(trial, trials)
        model.save_pretrained(folder, torch.float16)
        found = measured(trial, trials, type(model).from_pretrained(folder))
        with atomic_write(folder / "README.md") as draft:
            draft.write_text(card(name, row, title, data, trial, type(model).__name__, found, made))
        print(f"{folder}: {found['mse']:.4f}, before rounding {made['test']['mse']:.4f}")


def network(trial: AutoencoderTrial | AudiocoderTrial, trials: Path) -> AESNN | AudioToImage:
    """The trained network of a trial."""
    folder = trials / trial.key(SEED) / NETWORK
    if isinstance(trial, AutoencoderTrial):
        return AESNN.from_pretrained(folder)
    below = trials / trial.autoencoder.key(SEED) / NETWORK
    front_end = trial.data(None, SEED).front_end.config()
    return AudioToImage(ACSNN.from_pretrained(folder), AESNN.from_pretrained(below), front_end=front_end)


def measured(trial: AutoencoderTrial | AudiocoderTrial, trials: Path, model: Pretrained) -> dict[str, float]:
    """The test measures of a model in the place of a trial's network."""
    data = trial.data(None, SEED)
    data.prepare_data()
    data.setup("test")
    module: Any = trial.module(SEED, data, trials)
    if isinstance(model, AudioToImage):
        module.network = model.audiocoder
        module.adopt(model.autoencoder)
    else:
        module.network = model
    return trial.measure(module, data)["test"]


def card(name: str, row: str, title: str, data: str, trial: Any, kind: str, found: dict[str, float], made: Any) -> str:
    """The model card."""
    settings = "\n".join(f"| {key} | {value} |" for key, value in flat(asdict(trial)))
    measures = "\n".join(f"| {key} | {value:.4f} |" for key, value in found.items())
    installed = ", ".join(f"{package} {number}" for package, number in versions().items())
    return f"""# {title}

`{kind}.from_pretrained("{name}")`; float16 on disk, float32 in memory. From Roy, Panda & Roy 2019, section 4.

- **Command**: `snn-synth reproduce {row} --preset full`, the arm "SNN best"; seed {SEED}; {made["seconds"]:.0f} seconds
  of training and measuring on a CPU; {installed}.
- **Data**: {data}. Trained on the training set, {trial.recipe.epochs} epoch(s).
- **Use**: research and teaching; it draws blurred digits or clothes and has no other use.

| measured on the test set, after rounding | |
|---|---|
{measures}

`mse` is the standardized error: 0 is perfect, a silent output scores 1.

| setting | |
|---|---|
{settings}
"""


def flat(settings: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested settings in dotted names."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/reproduce/trials"))

"""Write the trained models that come with the package, all or by name, from the trials of `snn-synth reproduce`."""

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from snn_synth.data import EspeakDigits, build_front_end, spectrograms
from snn_synth.data.espeak import UNHEARD_VOICES
from snn_synth.encoding import sample_keys
from snn_synth.experiments.record import read_results, versions
from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.catalogue import EXPERIMENTS
from snn_synth.experiments.reproduce.trials import NETWORK, RESULT, Trial
from snn_synth.files import atomic_write
from snn_synth.models import AESNN, Audiocoder, AudioToImage
from snn_synth.models.pretrained import Pretrained
from snn_synth.training.base import HELD_OUT

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS, UNSEEN = ROOT / "snn_synth" / "models" / "weights", ROOT / "docs" / "results" / "unseen-speakers"
SEED = 0
DIGITS = "MNIST (Y. LeCun, C. Cortes; CC BY-SA 3.0)"
CLOTHES = "Fashion-MNIST (Zalando SE; MIT)"
ROY = "Roy, Panda & Roy 2019, section 4"
DIFFUSION = "Liu et al. 2023 (Spiking-Diffusion), smaller"


class Shipped(NamedTuple):
    """Where a shipped model comes from."""

    experiment: str
    variant: str
    title: str
    data: str
    """With their licences."""
    source: str = ROY
    seed: int = SEED


SHIPPED = {
    # First the classifiers, which measure the others' samples.
    "mnist-classifier": Shipped(
        "image-classifier",
        "MNIST",
        "Classifier of digits, which measures generated ones",
        DIGITS,
        "no paper: it is ours",
    ),
    "fashion-mnist-classifier": Shipped(
        "image-classifier",
        "Fashion-MNIST",
        "Classifier of clothes, which measures generated ones",
        CLOTHES,
        "no paper: it is ours",
    ),
    "mnist-classifier-deep": Shipped(
        "image-classifier",
        "MNIST, deep",
        "Second classifier of digits, of another architecture and seed",
        DIGITS,
        "no paper: it is ours",
        seed=1,
    ),
    "fashion-mnist-classifier-deep": Shipped(
        "image-classifier",
        "Fashion-MNIST, deep",
        "Second classifier of clothes, of another architecture and seed",
        CLOTHES,
        "no paper: it is ours",
        seed=1,
    ),
    "mnist": Shipped("table1-mnist", "SNN best", "Spiking autoencoder of handwritten digits", DIGITS),
    "mnist-portable": Shipped(
        "table1-mnist", "SNN, reset to zero", "Spiking autoencoder of handwritten digits, portable", DIGITS
    ),
    "fashion-mnist": Shipped("table1-fashion-1024", "SNN best", "Spiking autoencoder of clothes", CLOTHES),
    "fashion-mnist-portable": Shipped(
        "table1-fashion-1024", "SNN, reset to zero", "Spiking autoencoder of clothes, portable", CLOTHES
    ),
    "fsdd": Shipped(
        "any-speaker",
        "ConvACSNN",
        "Spoken digits to images: a spiking audiocoder and the decoder of a spiking autoencoder",
        "Free Spoken Digit Dataset (Z. Jackson and others; CC BY-SA 4.0), digits of espeak-ng, ten images of MNIST "
        "(CC BY-SA 3.0)",
    ),
    "mnist-temporal": Shipped(
        "temporal-coding",
        "H = 32",
        "Temporal coding autoencoder of digits",
        DIGITS,
        "Comsa, Versari, Fischbacher & Alakuijala 2021",
    ),
    "mnist-hybrid": Shipped(
        "hybrid-vae",
        "mlp, rates",
        "Hybrid variational autoencoder of digits",
        DIGITS,
        "Skatchkovsky, Simeone & Jang 2021",
    ),
    "mnist-gan": Shipped(
        "spiking-gan",
        "as chosen",
        "Spiking generative adversarial network of digits",
        DIGITS,
        "Kotariya & Ganguly 2021, a reconstruction",
    ),
    "mnist-esvae": Shipped(
        "esvae", "MNIST", "Spiking variational autoencoder of digits", DIGITS, "Zhan et al. 2023 (ESVAE)"
    ),
    "mnist-vqd": Shipped("vq-diffusion", "MNIST", "Spiking VQ-diffusion of digits", DIGITS, DIFFUSION),
    "fashion-mnist-vqd": Shipped(
        "vq-diffusion", "Fashion-MNIST", "Spiking VQ-diffusion of clothes", CLOTHES, DIFFUSION
    ),
    "fsdd-condition": Shipped(
        "spoken-diffusion",
        "VQ-diffusion",
        "From the code of the audiocoder `fsdd` to a condition of the VQ-diffusion `mnist-vqd`",
        f"Free Spoken Digit Dataset (Z. Jackson and others; CC BY-SA 4.0), {DIGITS}",
        f"no paper: it is ours, between {ROY}, and {DIFFUSION}",
    ),
}


def main(trials: Path, names: list[str]) -> None:
    """Round each network to float16, measure it so on the test set, and write it with its card."""
    for name in names or SHIPPED:
        shipped = SHIPPED[name]
        trial = EXPERIMENTS[shipped.experiment].variants[shipped.variant]
        folder = WEIGHTS / name
        made = read_results(trials / trial.key(shipped.seed) / RESULT)
        model = network(trial, trials, shipped.seed)
        model.save_pretrained(folder, torch.float16)
        found = measured(trial, trials, Pretrained.from_pretrained(folder))
        with atomic_write(folder / "README.md") as draft:
            draft.write_text(card(name, shipped, trial, type(model).__name__, found, made))
        print(f"{folder}: {rounded(found)}; before rounding {rounded(made['test'])}")


def rounded(found: dict[str, float]) -> dict[str, float]:
    """To four decimals."""
    return {key: round(value, 4) for key, value in found.items()}


def network(trial: Trial, trials: Path, seed: int) -> Pretrained:
    """The trained network of a trial; of audio to image, its batch norm folded, with the decoder."""
    folder = trials / trial.key(seed) / NETWORK
    if not isinstance(trial, AudiocoderTrial):
        return Pretrained.from_pretrained(folder)
    below = trials / trial.autoencoder.key(seed) / NETWORK
    data = prepared(trial)
    audiocoder: Any = Audiocoder.from_pretrained(folder)
    front_end, names = data.front_end.config(), data.names
    model = AudioToImage(audiocoder.folded(), AESNN.from_pretrained(below), front_end=front_end, labels=names)
    model.gallery.copy_(data.gallery)  # of pairing A: one image for each label
    model.calibrate(*unheard(model, trial.num_steps))  # one number is fitted, to voices that were not trained on
    return model


def unheard(model: AudioToImage, num_steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What is drawn of words by voices of espeak that were not trained on, and the words' labels."""
    corpus = EspeakDigits(UNHEARD_VOICES, takes=4)
    keys = sample_keys(SEED, HELD_OUT, torch.arange(len(corpus)))
    values = spectrograms(corpus, build_front_end(model.front_end or {}))
    return model.synthesize(values, num_steps, keys=keys), corpus.labels


def prepared(trial: Trial) -> Any:
    """The data of a trial."""
    data = trial.data(None, SEED)
    data.prepare_data()
    data.setup("test")
    return data


def measured(trial: Trial, trials: Path, model: Pretrained) -> dict[str, float]:
    """The test measures of a model in the place of a trial's network."""
    data = prepared(trial)
    module: Any = trial.module(SEED, data, trials)
    if isinstance(model, AudioToImage):
        module.network = model.audiocoder
        module.adopt(model.autoencoder)
    else:
        module.network = model
    parts = trial.measure(module.eval(), data)
    found = parts["test"] | {f"guided_{key}": value for key, value in parts.get("guided", {}).items()}
    if isinstance(model, AudioToImage):
        images, labels = unheard(model, trial.num_steps)
        right = model.recognize(images).argmax(1) == labels
        found["unheard_voices"] = right.float().mean().item()
    return found


def of_people() -> str:
    """What the same network does for people whom it never heard."""
    found = read_results(UNSEEN / "metrics.json")
    (group,) = found["groups"].values()
    people = {
        speaker: found["variants"][variant]["unheard/nearest_class"]["mean"]
        for speaker, variant in group["variants"].items()
    }
    unheard, heard = (group[f"{words}/nearest_class"]["mean"] for words in ("unheard", "test"))
    each = ", ".join(f"{speaker} {share:.1%}" for speaker, share in people.items())
    return (
        f"\nFor people whom it never heard: trained without one of FSDD's six speakers, each in turn\n"
        f"({len(found['seeds'])} seeds, fewer epochs), it draws {unheard:.1%} of all words of that one right\n"
        f"({each}), and {heard:.1%} of the others' test words.\n"
    )


def card(name: str, shipped: Shipped, trial: Any, kind: str, found: dict[str, float], made: Any) -> str:
    """The model card."""
    by_rule = isinstance(trial, AutoencoderTrial | AudiocoderTrial)  # else the recipe's rule and loss mean nothing
    settings = "\n".join(
        f"| {key} | {value} |"
        for key, value in flat(asdict(trial))
        if by_rule or key not in ("recipe.rule", "recipe.loss")
    )
    measures = "\n".join(f"| {key} | {value:.4f} |" for key, value in found.items())
    seeds = f" --seeds {shipped.seed + 1}" if shipped.seed else ""
    installed = ", ".join(f"{package} {number}" for package, number in versions().items())
    said = (
        "\n`standardized_mse` compares output and image after each was given zero mean and unit variance: 0 is a "
        "perfect\noutput, 1 a silent one.\n"
    )
    words = said if "standardized_mse" in found else ""
    if "guided_sure" in found:
        words += (
            "\nSamples: 5,000, by class, in 25 steps at temperature 1; those of `guided_...` with a guidance of 0.5 "
            "(`network.guidance = 0.5`).\n"
        )
    if "utterance_variance" in found:
        words += (
            "\nSamples: five of each of FSDD's 300 test words, in 25 steps at temperature 1 with a guidance of 0.5.\n"
            "`utterance_variance` is that of one word's five images, relative to the variance of real images of its "
            "digit.\n"
        )
    only_digits = ""
    if "unheard_voices" in found:
        only_digits = (
            "\n  It always draws one of the ten digits, even for other words or noise, and may report a high "
            "probability when it is\n  wrong."
        )
        words += (
            "`nearest_class` is the share of words whose image is nearest to that of their digit, `unheard_voices`\n"
            "the same for 640 words by 16 voices of espeak-ng that were not trained on. Noise and other conditions:\n"
            "docs/results.md, robustness, where other input spikes and 320 other words by the same voices give shares\n"
            "that differ by one in a hundred.\n"
        ) + of_people()
    epochs = "1 epoch" if trial.recipe.epochs == 1 else f"{trial.recipe.epochs} epochs"
    return f"""# {shipped.title}

`{kind}.from_pretrained("{name}")`; float16 on disk, float32 in memory. From {shipped.source}.

- **Command**: `snn-synth reproduce {shipped.experiment} --preset full{seeds}`, the variant "{shipped.variant}"; \
seed {shipped.seed}; {made["seconds"]:.0f} seconds
  of training and measuring on a CPU; {installed}.
- **Data**: {shipped.data}. Trained on the training set, {epochs}.
- **Use**: research, teaching and demonstrations.{only_digits}
{neurons(trial)}
| measured on the test set, after rounding | |
|---|---|
{measures}
{words}
| setting | |
|---|---|
{settings}
"""


def neurons(trial: Any) -> str:
    """What a card says of neurons, where there is a choice."""
    if not isinstance(trial, AutoencoderTrial | AudiocoderTrial):
        return ""
    if trial.reset == "zero":
        return "- **Neurons**: the paper's, which reset to zero; NIR can express this network.\n"
    return (
        "- **Neurons**: each with a learned leak and threshold; they reset by subtraction, for which NIR has no node.\n"
        "  The portable network, with the paper's neurons, has this one's name and `-portable`.\n"
    )


def flat(settings: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested settings in dotted names."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/reproduce/trials"), sys.argv[2:])

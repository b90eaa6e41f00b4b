"""The table of all generators of new images, ours and published ones, from docs/results/*/metrics.json."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from claims import spread
from tables import not_run
from torch import nn

from snn_synth.models import SpikingGAN
from snn_synth.models.pretrained import Pretrained

ABOUT = """\
One row for each generator of this library, for those that were published with the same distance, and for samples that
need no network. A good generator is near the test images in every column at once: class means and ten repeated images
do not vary, training images are copies, shuffled pixels are no digits.

- **FAD**: Fréchet autoencoder distance of 5,000 samples, as the papers compute it; lower is better.
- **sure**: share of the samples of which a classifier is over 0.9 sure, by two independent classifiers.
- **right**: share in which the first of them sees the class that was asked for.
- **variance**: within a class, of pixels, relative to test images.
- **new**: distance to the nearest training image, relative to that of test images; 0 is a copy.
- **reconstruction**: mean square error of test images in [0, 1], where there is an encoder.
- **spikes**, **operations**: of one new image, all its time and sampling steps; an operation is the addition of one
  weight. Products with values that are no spikes are left out: of VQ-diffusion about 23 million an image.
- **training**: minutes on two cores of the machine with AMX ([performance](performance.md)), by
  `benchmarks/training_times.py` from the time of a batch in each epoch.

**Compare like with like**: rows with a value under "right" are of networks that learned from images with their classes
and were asked for equally many of each. ESVAE, the published ones and VQ-diffusion "without labels" draw without a
class, which is harder. VQ-diffusion draws in 25 steps at temperature 1 ([why](generators/vq-diffusion.md)).

Spiking-GAN's images have 14 x 14 pixels where not said otherwise, are enlarged for the distance, and are each the
discriminator's choice of eight. The "training images" are 5,000 at random; the first 5,000, which papers take, have a
distance of 4.5 and 0.9.

`snn-synth reproduce generators --preset full --seeds 3` makes the numbers; [how they are
measured](generators.md#how-generated-images-are-measured) says more.
"""

SETS = "MNIST", "Fashion-MNIST"


class Published(NamedTuple):
    """What a paper says: FAD by set, and reconstruction error in [0, 1]."""

    name: str
    fad: tuple[float, float]
    error: tuple[float, float] | None = None


# The papers' errors are of images in [-1, 1]: a quarter of them is in [0, 1].
PUBLISHED = (
    Published("FSVAE (Kamata et al. 2022)", (35.54, 15.75), (0.031 / 4, 0.031 / 4)),
    Published("ESVAE (Zhan et al. 2023), 32 x 32, 300 epochs", (10.99, 11.13), (0.013 / 4, 0.019 / 4)),
    Published("FSDDIM (Watanabe et al. 2023), T = 4, four GPUs", (3.62, 9.25)),
    Published("FSDDIM, T = 8", (5.71, 4.91)),
)
# Networks that come with the package, of the variants' sizes, or one of that size.
NETWORKS: dict[str, str | nn.Module] = {
    "MNIST, ESVAE": "mnist-esvae",
    "Fashion-MNIST, ESVAE": "mnist-esvae",
    "MNIST, Spiking-GAN": "mnist-gan",
    "MNIST, Spiking-GAN, 28 x 28": SpikingGAN(side=28, latent=16, hidden=400),
    "Fashion-MNIST, Spiking-GAN": "mnist-gan",
    "MNIST, VQ-diffusion": "mnist-vqd",
    "Fashion-MNIST, VQ-diffusion": "fashion-mnist-vqd",
}
MINUTES = json.loads((Path(__file__).parent / "results/generators/training-times.json").read_text())
GUIDED, UNLABELLED = ", guidance 0.5", ", without labels"
HEAD = "FAD", "sure", "right", "variance", "new", "reconstruction", "spikes", "operations", "parameters", "training"


def generators(metrics: Mapping[str, Any]) -> str:
    """A table for each set of images: samples without a network, ours, and published ones; and what is missing."""
    parts = []
    for place, images in enumerate(SETS):
        lines = [f"| {images} | " + " | ".join(HEAD) + " |", "|---" * (len(HEAD) + 1) + "|"]
        for variant, found in metrics["variants"].items():
            if not variant.startswith(f"{images}, "):
                continue
            name = variant.removeprefix(f"{images}, ")
            lines.append(_row(name, found, "test", parameters(variant), _minutes(variant)))
            if "guided/fad" in found:
                lines.append(_row(name + GUIDED, found, "guided"))
            if "unlabelled/fad" in found:
                lines.append(_row(name + UNLABELLED, found, "unlabelled"))
        for one in PUBLISHED:
            error = "" if one.error is None else f"{one.error[place]:.4f}"
            cells = [f"{one.fad[place]:.2f}", *[""] * 4, error, *[""] * 4]
            lines.append(f"| *{one.name}, published* | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, *not_run("generators", metrics)])


@cache
def parameters(variant: str) -> str:
    """Of a network of a variant's size; nothing of samples without one."""
    if variant not in NETWORKS:
        return ""
    network = NETWORKS[variant]
    network = Pretrained.from_pretrained(network) if isinstance(network, str) else network
    return f"{sum(one.numel() for one in network.parameters()):,}"


def _minutes(variant: str) -> str:
    return f"{MINUTES[variant]['minutes']:.0f} min" if variant in MINUTES else ""


def _row(name: str, found: Mapping[str, Any], part: str, count: str = "", training: str = "") -> str:
    def cell(key: str, form: str = ".2f", of: str = part) -> str:
        measure = found.get(f"{of}/{key}")
        return "" if measure is None else spread(measure, form)

    spikes, operations = (
        next((text for of in ("inference", "test") if (text := cell(key, ",.0f", of))), "")
        for key in ("spikes", "operations")
    )
    if part != "test":
        spikes = operations = ""
    cells = [
        cell("fad", ".1f"),
        "; ".join(filter(None, (cell("sure"), cell("sure_second")))),
        cell("right"),
        cell("pixel_variance"),
        cell("nearest_ratio"),
        cell("pixel_mse", ".4f", "test" if part == "test" else ""),
        spikes,
        operations,
        count,
        training,
    ]
    return f"| {name} | " + " | ".join(cells) + " |"

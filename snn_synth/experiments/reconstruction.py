"""From image files to what an autoencoder draws of them: what the command ``reconstruct`` does."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snn_synth.data import as_pixels, read_image
from snn_synth.data.image_files import check_size
from snn_synth.errors import InputError
from snn_synth.experiments.synthesis import LARGEST_SEED, LONGEST, MOST
from snn_synth.models import SpikingAutoencoder
from snn_synth.models.pretrained import Pretrained, is_saved
from snn_synth.training import ImageBatch, LitAutoencoder, load_checkpoint
from snn_synth.training.reading import read_checkpoint


class Source(NamedTuple):
    """An autoencoder, with how it encodes images, and how the images of its training were read."""

    module: LitAutoencoder
    size: tuple[int, int] | None
    """Height and width; None takes images as they are."""
    color: bool
    pad: bool


def load(name: str, num_steps: int | None = None, seed: int | None = None) -> Source:
    """The autoencoder of a checkpoint or of a folder that ``save_pretrained`` wrote, of the Hub, or of the package.

    A checkpoint of images from a folder says how they were read. Any other network takes square images, in grey if its
    number of inputs is a square, else in colour.

    Args:
        name: of the file, the folder or the model.
        num_steps: time steps; those of the training if not given, and 15 where nobody knows.
        seed: of the input's spikes; that of the training if not given.

    Raises:
        InputError: if it is none of them, or of another model; for a seed that is too large, or more time steps than
            there is memory for.
    """
    if is_saved(name):
        network, known = Pretrained.from_pretrained(name), dict[str, Any]()
        if not isinstance(network, SpikingAutoencoder):
            raise InputError(f"Expected a spiking autoencoder, got {name} with a {type(network).__name__}")
        module = LitAutoencoder(network)
    else:
        module, known = load_checkpoint(LitAutoencoder, name), _reading(name)
    module = module.eval()
    module.num_steps = module.num_steps if num_steps is None else num_steps
    module.seed = module.seed if seed is None else seed
    inputs, neurons = module.network.inputs, module.network.neurons
    most = min(LONGEST, MOST // (inputs + neurons))
    if not 1 <= module.num_steps <= most:
        raise InputError(f"Expected 1 to {most} time steps of a network of this size, got {module.num_steps}")
    if not -LARGEST_SEED <= module.seed <= LARGEST_SEED:
        raise InputError(f"Expected a seed of at most {LARGEST_SEED:,}, got {module.seed}")
    return Source(module, **(_square(inputs) | known))


def _square(inputs: int) -> dict[str, Any]:
    """Square images of so many values, if there are: in grey, or else in colour."""
    for channels in (1, 3):
        side = math.isqrt(inputs // channels)
        if channels * side**2 == inputs:
            return {"size": (side, side), "color": channels == 3, "pad": False}
    return {"size": None, "color": False, "pad": False}


def _reading(checkpoint: str) -> dict[str, Any]:
    """How the images of a training were read, where they came from a folder.

    Raises:
        InputError: for a size that is none.
    """
    kept: Any = read_checkpoint(checkpoint).get("datamodule_hyper_parameters")
    for name in ("images", "init_args"):
        kept = kept.get(name) if isinstance(kept, Mapping) else None
    if not isinstance(kept, Mapping) or "root" not in kept:
        return {}
    return {"size": check_size(kept.get("size")), "color": kept.get("color") is True, "pad": kept.get("pad") is True}


def read(source: Source, file: Path) -> Tensor:
    """An image ``[C, H, W]`` in [0, 1], as the network takes it.

    Raises:
        InputError: for a file that is no image, or is of another size where the network's images were not resized.
    """
    image = as_pixels(read_image(file, source.size, source.color, source.pad)[None])[0]
    inputs = source.module.network.inputs
    if image.numel() != inputs:
        shape = " x ".join(map(str, image.shape))
        raise InputError(f"Expected an image of {inputs} values, which the network takes, got {shape} of {file}")
    return image


@torch.no_grad()
def draw(source: Source, image: Tensor) -> Tensor:
    """What the network draws of an image, the same whatever other images there are."""
    one = torch.zeros(1, dtype=torch.int64)
    batch = ImageBatch(image[None].to(source.module.device), one, one.to(source.module.device))
    return source.module.predict_step(batch)[0].cpu()

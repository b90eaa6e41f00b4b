"""What the page shows, by plain functions: sounds to stages, drawings to other drawings, and new digits."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from snn_synth.encoding import poisson_encode
from snn_synth.errors import InputError
from snn_synth.experiments.hearing import Heard, hear
from snn_synth.experiments.synthesis import Source, draw, read_recording
from snn_synth.models import AESNN, ESVAE, HybridVAE, SpikingGAN, SpikingVQDiffusion, Synthesis, TemporalCodingAE
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.vq_diffusion import GUIDANCE
from snn_synth.neurons import SigmoidLeaky

STEPS, LEAKS = (5, 60), (0.0, 0.5)
SIDE, INNER = 28, 20  # of MNIST's images, and of the digit in them


class Word(NamedTuple):
    """A word of a recording: its sound, and all stages to its image."""

    waveform: Tensor
    sample_rate: int
    spectrogram: Tensor
    stages: Synthesis


class Shown(NamedTuple):
    """A recording as the page shows it."""

    words: list[Word]
    heard: Heard


def with_leak(network: Pretrained, leak: float) -> Any:
    """A copy of a network in which all neurons leak as much.

    Raises:
        InputError: for a leak outside [0, 1].

    Example:
        >>> slow = with_leak(AESNN(4, 2, alpha=0.1), 0.5)
        >>> [float(layer.beta) for layer in slow.modules() if isinstance(layer, SigmoidLeaky)]
        [0.5, 0.5]
    """
    if not 0 <= leak <= 1:
        raise InputError(f"Expected a leak in [0, 1], got {leak}")
    changed = copy.deepcopy(network)
    for neuron in changed.modules():
        if isinstance(neuron, SigmoidLeaky):
            with torch.no_grad():
                neuron.beta.fill_(1 - leak)
    return changed


def listen(source: Source, file: Path, num_steps: int, leak: float) -> Shown:
    """Draw each word of a sound file.

    Args:
        source: the network.
        file: up to 30 seconds and 20 words.
        num_steps: T.
        leak: of all neurons.

    Raises:
        InputError: for a file that cannot be drawn; it names the file, and no folder of this machine.
    """
    _check_steps(num_steps)
    source = source._replace(model=with_leak(source.model, leak), num_steps=num_steps)
    try:
        recording = read_recording(source.model, file)
    except InputError as error:
        raise InputError(str(error).replace(str(file), file.name)) from None
    stages = [draw(source, one) for one in recording.spectrograms]
    parts = zip(recording.waveforms, recording.spectrograms, stages, strict=True)
    words = [Word(wave, recording.sample_rate, spectrogram, stage) for wave, spectrogram, stage in parts]
    return Shown(words, hear(source.model, torch.cat([stage.images for stage in stages]), recording.faults))


def centred(drawing: Tensor) -> Tensor:
    """A drawing as MNIST's images are made: the digit in 20 x 20 pixels, its centre of mass in the middle of 28 x 28.

    Args:
        drawing: strokes in [0, 1] on 0, ``[H, W]``.

    Returns:
        ``[1, 1, 28, 28]`` in [0, 1].

    Raises:
        InputError: if nothing was drawn.

    Source:
        LeCun, Cortes & Burges, The MNIST database.

    Example:
        >>> square = torch.zeros(100, 80)
        >>> square[10:50, 20:60] = 1
        >>> image = centred(square)
        >>> image.shape, image[0, 0].nonzero().amin(0).tolist(), image[0, 0].nonzero().amax(0).tolist()
        (torch.Size([1, 1, 28, 28]), [4, 4], [23, 23])
    """
    inked = (drawing > 0.1).nonzero()
    if not len(inked):
        raise InputError("Expected a drawing, got an empty canvas")
    (top, left), (bottom, right) = inked.amin(0).tolist(), inked.amax(0).tolist()
    digit = drawing[top : bottom + 1, left : right + 1]
    scale = INNER / max(digit.shape)
    size = [max(1, round(length * scale)) for length in digit.shape]
    small = F.interpolate(digit[None, None].float(), size, mode="bilinear", antialias=True)[0, 0].clamp(0, 1)
    mass = small.sum()
    offset = [
        round(float(SIDE / 2 - 0.5 - (small.sum(1 - axis) * torch.arange(length)).sum() / mass))
        for axis, length in enumerate(size)
    ]
    top, left = (min(max(place, 0), SIDE - length) for place, length in zip(offset, size, strict=True))
    image = torch.zeros(1, 1, SIDE, SIDE)
    image[0, 0, top : top + size[0], left : left + size[1]] = small
    return image


class Redrawn(NamedTuple):
    """An image that has passed through the autoencoder: spikes ``[T, neurons]`` of every layer."""

    input_spikes: Tensor
    hidden: Tensor
    output_spikes: Tensor


def redraw(network: AESNN, image: Tensor, num_steps: int, leak: float) -> Redrawn:
    """Send an image ``[1, 1, 28, 28]`` through an autoencoder, the same spikes each time.

    Raises:
        InputError: for T or a leak outside their bounds.
    """
    _check_steps(num_steps)
    generator = torch.Generator().manual_seed(0)
    spikes = poisson_encode(image.flatten(1), num_steps, generator=generator)
    with torch.no_grad():
        out = with_leak(network, leak)(spikes)
    return Redrawn(spikes[:, 0], out.hidden[:, 0], out.spikes[:, 0])


def by_other_papers(image: Tensor) -> dict[str, Tensor]:
    """An image as the autoencoders of other papers redraw it, ``[28, 28]`` each."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        return {
            "temporal coding": TemporalCodingAE.from_pretrained("mnist-temporal").reconstruct(image)[0, 0],
            "hybrid VAE": HybridVAE.from_pretrained("mnist-hybrid").reconstruct(image, generator)[0, 0],
            "ESVAE": ESVAE.from_pretrained("mnist-esvae").reconstruct(image, generator)[0, 0],
        }


def _diffusion(digits: Tensor, generator: torch.Generator) -> Tensor:
    diffusion = SpikingVQDiffusion.from_pretrained("mnist-vqd")
    diffusion.guidance = GUIDANCE
    return diffusion.sample(len(digits), generator, digits)


def _gan(digits: Tensor, generator: torch.Generator) -> Tensor:
    gan = SpikingGAN.from_pretrained("mnist-gan")
    return gan.sample(len(digits), generator, digits)


def _esvae(digits: Tensor, generator: torch.Generator) -> Tensor:
    return ESVAE.from_pretrained("mnist-esvae").sample(len(digits), generator)


GENERATORS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "VQ-diffusion: ten of a digit": _diffusion,
    "Spiking-GAN: ten of a digit": _gan,
    "ESVAE: ten digits as they come": _esvae,
}
"""What draws new digits: labels ``[N]``, which ESVAE does not know, to images ``[N, 1, H, W]``."""


def new_digits(kind: str, digit: int, seed: int) -> Tensor:
    """Ten new images ``[10, 1, H, W]``.

    Raises:
        InputError: for a generator that is not there, a digit outside 0 to 9, or a seed that is negative.

    Example:
        >>> new_digits("Spiking-GAN: ten of a digit", 3, seed=0).shape
        torch.Size([10, 1, 14, 14])
    """
    if kind not in GENERATORS:
        raise InputError(f"Expected a generator of {list(GENERATORS)}, got {kind!r}")
    if digit not in range(10) or not 0 <= seed < 2**32:
        raise InputError(f"Expected a digit from 0 to 9 and a seed from 0 to 2^32 - 1, got {digit} and {seed}")
    return GENERATORS[kind](torch.full((10,), digit), torch.Generator().manual_seed(seed))


def steps(spikes: Tensor) -> Iterator[Tensor]:
    """Image after each time step: spikes so far by those of the brightest pixel in the end, ``[T, N]`` to T of ``[N]``.

    Example:
        >>> [image.tolist() for image in steps(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))]
        [[0.5, 0.0], [1.0, 0.5]]
    """
    counts = spikes.cumsum(0)
    yield from counts / counts[-1].max().clamp_min(0.1 * len(spikes))


def _check_steps(num_steps: int) -> None:
    low, high = STEPS
    if not low <= num_steps <= high:
        raise InputError(f"Expected {low} to {high} time steps, got {num_steps}")

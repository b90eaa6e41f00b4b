"""AE-SNN: the spiking autoencoder, and its conventional counterpart AE-ANN."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional.encoding import RateCode
from snn_synth.functional.lif import Reset
from snn_synth.kernels import encode
from snn_synth.learning.layers import runs_layers
from snn_synth.models.flatten import flatten_images
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.stack import SpikingStack, StackOutput, run_layers


class SpikingAutoencoder(Pretrained):
    """Interface of the spiking autoencoders: layers of an encoder, and as many of a decoder.

    Example:
        >>> from snn_synth.models import AESNN
        >>> ae = AESNN(784, 196)
        >>> hidden = ae.encode(torch.ones(15, 2, 784))
        >>> isinstance(ae, SpikingAutoencoder), hidden.shape, ae.decode(hidden).shape
        (True, torch.Size([15, 2, 196]), torch.Size([15, 2, 784]))
    """

    layers: nn.ModuleList
    inputs: int
    """Values of an image: its pixels, three times as many in colour."""
    code: int
    """Neurons of the last layer of the encoder."""
    depth: int
    """Layers of the encoder."""
    neurons: int
    """Of all layers together."""

    def forward(self, spikes: Tensor) -> StackOutput:
        """Run all time steps from rest."""
        return run_layers(self.layers, spikes, self.inputs)

    def encode(self, spikes: Tensor, depth: int | None = None) -> Tensor:
        """Hidden spikes ``[T, B, code]`` of input spikes ``[T, B, inputs]``: the paper's hidden state.

        Of the first ``depth`` layers alone, if that is given.
        """
        depth = self.depth if depth is None else depth
        return run_layers(list(self.layers)[:depth], spikes, self.inputs).spikes if depth else spikes

    def decode(self, hidden: Tensor) -> Tensor:
        """Output spikes ``[T, B, inputs]`` of hidden spikes ``[T, B, code]``, wherever those come from."""
        return run_layers(list(self.layers)[self.depth :], hidden, self.code).spikes

    def pair(self, number: int) -> "LayerPair":
        """Layer ``number`` of the encoder and the one that undoes it, as an autoencoder of the spikes below it.

        It shares their weights; its input is ``encode(spikes, number)``.
        """
        return LayerPair(self.layers[number], self.layers[-1 - number])

    def code_of(self, out: StackOutput) -> Tensor:
        """The hidden spikes ``[T, B, code]`` of a whole run."""
        return out.hidden_spikes[self.depth - 1]

    @torch.no_grad()
    def reconstruct(
        self,
        images: Tensor,
        num_steps: int = 15,
        generator: torch.Generator | None = None,
        keys: Tensor | None = None,
        code: RateCode = "poisson",
    ) -> Tensor:
        """Encode images as spikes and read the output's firing rates as images.

        Args:
            images: values in [0, 1], ``[B, ...]`` with ``inputs`` each.
            num_steps: T.
            generator: draws the spikes.
            keys: one per image instead, as in :func:`~snn_synth.encoding.poisson_encode`.
            code: how values become spikes; that of the training.

        Returns:
            Images of the same shape, in [0, 1].

        Raises:
            InputError: for a wrong shape, values outside [0, 1] or ``num_steps < 1``.
        """
        flat = flatten_images(images, self.inputs)
        spikes = encode(flat, num_steps, generator=generator, keys=keys, code=code)
        rates: Tensor = self(spikes).spikes.mean(0)
        return rates.reshape(images.shape)


class LayerPair(nn.Module):
    """An autoencoder of two layers that belong to a deeper one.

    Args:
        down: operator and neurons of the encoder.
        up: those of the decoder.

    Shape:
        spikes ``[T, B, n]`` of the layer below to a :class:`StackOutput` of the same size.
    """

    def __init__(self, down: nn.Module, up: nn.Module) -> None:
        """Share the layers."""
        super().__init__()
        self.layers = nn.ModuleList([down, up])

    @runs_layers
    def forward(self, spikes: Tensor) -> StackOutput:
        """Run all time steps from rest."""
        return run_layers(self.layers, spikes, spikes.shape[-1])


class AESNN(SpikingStack, SpikingAutoencoder):
    r"""Spiking autoencoder: an image's spikes, to fewer hidden spikes, to the image's spikes again.

    Args:
        inputs: values of an image, channels x height x width; 784 in the paper.
        hidden: neurons of the code; 196 for MNIST, 512 or 1024 for Fashion-MNIST. Several numbers are the layers of the
            encoder, the code last, and of the decoder backwards (the paper's outlook).
        alpha: leak.
        threshold: firing threshold.
        slope: steepness of the surrogate's sigmoid.
        reset: what a spike does to V: back to ``zero``, the paper's, or ``subtract`` the threshold.
        learned: learn the leak and the threshold of each neuron; see :class:`SpikingStack`.

    Shape:
        ``[T, B, inputs]`` to ``out.spikes``, ``out.membrane`` ``[T, B, inputs]``; the code is ``[T, B, code]``.

    Source:
        Roy, Panda & Roy 2019, section 3.2, 4.1 and 5.

    Example:
        >>> ae = AESNN(784, 196)
        >>> images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        >>> ae.reconstruct(images, num_steps=15, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 28, 28])
        >>> AESNN(784, [512, 196]).sizes
        [784, 512, 196, 512, 784]
    """

    def __init__(
        self,
        inputs: int = 784,
        hidden: int | Sequence[int] = 196,
        alpha: float = 0.1,
        threshold: float = 1.0,
        slope: float = 1.0,
        reset: Reset = "zero",
        learned: bool = False,
    ) -> None:
        """Make the encoder and the decoder."""
        down = [inputs, hidden] if isinstance(hidden, int) else [inputs, *hidden]
        super().__init__([*down, *down[-2::-1]], alpha, threshold, slope, reset=reset, learned=learned)
        self.inputs, self.code, self.depth, self.neurons = inputs, down[-1], len(down) - 1, sum(self.sizes[1:])


class AEANN(Pretrained):
    r"""Conventional autoencoder of the size of an AE-SNN, the paper's point of comparison.

    .. math:: h = \operatorname{relu}(W_1 x + b_1), \qquad y = f(W_2 h + b_2)

    The paper does not name its activations.

    Args:
        inputs: values of an image.
        hidden: units of the code.
        output: f, ``linear`` or ``sigmoid``.

    Shape:
        ``[B, inputs]`` to the same.

    Source:
        Roy, Panda & Roy 2019, section 4.1 (AE-ANN).

    Example:
        >>> AEANN(784, 196)(torch.zeros(2, 784)).shape
        torch.Size([2, 784])
    """

    def __init__(self, inputs: int = 784, hidden: int = 196, output: Literal["linear", "sigmoid"] = "linear") -> None:
        """Make the encoder and the decoder."""
        super().__init__()
        if output not in ("linear", "sigmoid"):
            raise InputError(f"Expected `output` to be 'linear' or 'sigmoid', got {output!r}")
        if min(inputs, hidden) < 1:
            raise InputError(f"Expected `inputs` and `hidden` to be at least 1, got {inputs} and {hidden}")
        self.inputs, self.code, self.sizes = inputs, hidden, [inputs, hidden, inputs]
        self.encode = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU())
        last = nn.Linear(hidden, inputs)
        self.decode = nn.Sequential(last, nn.Sigmoid()) if output == "sigmoid" else last

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct flat images."""
        result: Tensor = self.decode(self.encode(images))
        return result

    @torch.no_grad()
    def reconstruct(self, images: Tensor) -> Tensor:
        """Reconstruct images of any shape with ``inputs`` pixels each; the results are cut to [0, 1]."""
        result: Tensor = self(flatten_images(images, self.sizes[0])).clamp(0, 1)
        return result.reshape(images.shape)

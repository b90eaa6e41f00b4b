"""The hybrid variational autoencoder: a spiking encoder that draws its code, and a conventional decoder of it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from snn_synth.encoding import poisson_encode
from snn_synth.errors import InputError
from snn_synth.functional import bernoulli_information, refractory_spikes, synaptic_traces
from snn_synth.functional.encoding import unit_interval
from snn_synth.functional.inputs import as_values
from snn_synth.models.flatten import flatten_images
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.readout import StochasticReadout
from snn_synth.models.time_decoder import Decoding, TimeDecoder


@dataclass(frozen=True, eq=False)
class HybridOutput:
    """What a hybrid variational autoencoder drew and made of it.

    Example:
        >>> ones, zeros = torch.ones(3, 1, 2), torch.zeros(3, 1, 2)
        >>> out = HybridOutput(pixels=torch.zeros(1, 4), code=ones, logits=zeros, hidden=ones)
        >>> out.information(rate=0.5), out.information(rate=0.25)  # log(0.5 / 0.5), log(0.5 / 0.25)
        (tensor([0.]), tensor([0.6931]))
    """

    pixels: Tensor
    """Logits of the pixels, ``[B, outputs]``."""
    code: Tensor
    """Spikes of the readout, ``[T, B, latent]``."""
    logits: Tensor
    """Their logits."""
    hidden: Tensor
    """Spikes of the hidden layer, ``[T, B, hidden]``."""

    def information(self, rate: float) -> Tensor:
        r"""Sample of the directed information of each sample's code beyond a reference that fires at random, ``[B]``.

        .. math:: \frac{1}{T N} \sum_{t,i} \log \frac{p(z_i[t] \mid x_{\le t}, z_{<t})}{r(z_i[t])}
        """
        return bernoulli_information(self.logits, self.code, rate).mean((0, 2))


class HybridVAE(Pretrained):
    """Spiking encoder with a code drawn at random, and a conventional decoder that reads the code's timing.

    Args:
        inputs: of the encoder.
        hidden: deterministic neurons.
        latent: stochastic neurons of the code.
        num_steps: T.
        decoding: see :class:`TimeDecoder`.
        outputs: pixels.
        n_basis: of the readout, see :class:`StochasticReadout`.
        memory: of the readout.

    Shape:
        input spikes ``[T, B, inputs]`` to a :class:`HybridOutput`.

    Raises:
        InputError: for input spikes of another shape, or values outside [0, 1].

    Source:
        Skatchkovsky, Simeone & Jang 2021, and the authors' code; the sizes by default are smaller than
        theirs (784-600-256, T=30, 8 bumps).

    Example:
        >>> vae = HybridVAE(9, 8, 4, num_steps=6, outputs=9)
        >>> out = vae(torch.ones(6, 2, 9), torch.Generator().manual_seed(0))
        >>> out.pixels.shape, out.code.shape, out.information(0.3).shape
        (torch.Size([2, 9]), torch.Size([6, 2, 4]), torch.Size([2]))
    """

    def __init__(
        self,
        inputs: int = 784,
        hidden: int = 200,
        latent: int = 64,
        num_steps: int = 16,
        decoding: Decoding = "mlp",
        outputs: int = 784,
        n_basis: int = 4,
        memory: int = 10,
    ) -> None:
        """Make encoder and decoder."""
        super().__init__()
        if min(inputs, hidden, latent, num_steps, outputs) < 1:
            raise InputError(
                f"Expected sizes of at least 1, got {inputs}, {hidden}, {latent}, {num_steps} and {outputs}"
            )
        self.inputs, self.num_steps = inputs, num_steps
        self.hidden = nn.Linear(inputs, hidden)
        self.readout = StochasticReadout(hidden, latent, n_basis, memory)
        self.decoder = TimeDecoder(latent, num_steps, outputs, decoding)

    def encode(
        self, spikes: Tensor, generator: torch.Generator | None = None, draws: int = 1
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Code and its logits, ``[T, draws * B, latent]``, and the hidden layer's spikes."""
        spikes = as_values(spikes, self.hidden.weight, "spikes")
        if spikes.dim() != 3 or (spikes.shape[0], spikes.shape[2]) != (self.num_steps, self.inputs):
            raise InputError(f"Expected spikes of shape [{self.num_steps}, B, {self.inputs}], got {list(spikes.shape)}")
        spikes = unit_interval(spikes)
        hidden = refractory_spikes(self.hidden(synaptic_traces(spikes)))
        return *self.readout(hidden, generator, draws), hidden

    def forward(self, spikes: Tensor, generator: torch.Generator | None = None) -> HybridOutput:
        """Draw a code and decode it."""
        code, logits, hidden = self.encode(spikes, generator)
        return HybridOutput(self.decoder(code), code, logits, hidden)

    @torch.no_grad()
    def reconstruct(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw spikes by the pixels' values, a code from them, and images from that.

        Args:
            images: values in [0, 1], ``[B, ...]`` with ``inputs`` pixels each.
            generator: of both.

        Returns:
            Images of the same shape, in [0, 1].

        Raises:
            InputError: for a wrong shape, values outside [0, 1], or a network with other outputs than inputs.
        """
        if self.decoder.outputs != self.inputs:
            raise InputError(f"Expected a network of {self.inputs} outputs, its inputs, got {self.decoder.outputs}")
        spikes = poisson_encode(flatten_images(images, self.inputs), self.num_steps, generator=generator)
        pixels: Tensor = self(spikes, generator).pixels
        return pixels.sigmoid().reshape(images.shape)

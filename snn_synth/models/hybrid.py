"""The hybrid variational autoencoder: a spiking encoder that draws its code, conventional decoders of spike trains."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from snn_synth.encoding import poisson_encode
from snn_synth.errors import InputError
from snn_synth.functional import (
    bernoulli_information,
    causal_filter,
    raised_cosines,
    refractory_spikes,
    synaptic_traces,
)
from snn_synth.functional.encoding import check_unit_interval
from snn_synth.models.flatten import flatten_images
from snn_synth.models.pretrained import Pretrained

Decoding = Literal["mlp", "linear", "conv", "rate"]


class StochasticReadout(nn.Module):
    r"""Neurons that fire by chance, from the filtered past of their inputs and of themselves.

    .. math:: u_i[t] = \sum_{j,k} w_{ijk}\,(\phi_k * S_j)[t] + v_i\,(\psi * z_i)[t] + b_i, \qquad
        z_i[t] \sim \operatorname{Bernoulli}(\sigma(u_i[t]))

    Args:
        in_features: inputs.
        out_features: neurons.
        n_basis: bumps :math:`\phi_k`, see :func:`~snn_synth.functional.raised_cosines`.
        memory: time steps that they reach back.

    Shape:
        ``[T, B, in]`` to spikes and logits, ``[T, B, out]``.

    Raises:
        InputError: for sizes below 1.

    Source:
        Skatchkovsky, Simeone & Jang 2021.

    Example:
        >>> spikes, logits = StochasticReadout(5, 3)(torch.ones(6, 2, 5))
        >>> spikes.shape, logits.shape
        (torch.Size([6, 2, 3]), torch.Size([6, 2, 3]))
    """

    bases: Tensor
    feedback_basis: Tensor

    def __init__(self, in_features: int, out_features: int, n_basis: int = 8, memory: int = 10) -> None:
        """Draw the weights, uniform within the authors' bounds."""
        super().__init__()
        if min(in_features, out_features, n_basis, memory) < 1:
            raise InputError(f"Expected sizes of at least 1, got {in_features}, {out_features}, {n_basis} and {memory}")
        bound = (6 / (in_features * n_basis + out_features * n_basis)) ** 0.5
        self.weight = nn.Parameter(torch.empty(n_basis, out_features, in_features).uniform_(-bound, bound))
        self.feedback = nn.Parameter(torch.empty(out_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.bases = nn.Buffer(raised_cosines(n_basis, memory), persistent=False)
        self.feedback_basis = nn.Buffer(raised_cosines(1, memory)[0], persistent=False)

    def forward(
        self, inputs: Tensor, generator: torch.Generator | None = None, draws: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Draw the spikes, several times for each sample: ``[T, draws * B, out]``, all samples of a draw together."""
        driven = causal_filter(torch.einsum("tbn,kmn->tkbm", inputs, self.weight), self.bases) + self.bias
        driven = driven.repeat(1, draws, 1)
        uniform = torch.rand(driven.shape, dtype=driven.dtype, generator=generator, device=driven.device)
        spikes: list[Tensor] = []
        logits = []
        for t, current in enumerate(driven):
            past = spikes[max(0, t - len(self.feedback_basis)) :][::-1]
            own = sum(share * before for share, before in zip(self.feedback_basis, past, strict=False))
            logits.append(current + self.feedback * own)
            spikes.append((uniform[t] < logits[-1].detach().sigmoid()).to(current.dtype))
        return torch.stack(spikes), torch.stack(logits)


class TimeDecoder(nn.Module):
    """What is read from a spike train: pixels as logits.

    Args:
        neurons: N.
        num_steps: T.
        outputs: pixels.
        decoding: ``mlp`` and ``linear`` see the whole raster, N x T; ``conv`` convolves over the neurons with the time
            steps as channels; ``rate`` is the control, an ``mlp`` on the number of spikes of each neuron.

    Shape:
        ``[T, B, N]`` to ``[B, outputs]``.

    Raises:
        InputError: for an unknown decoding, ``conv`` of fewer than 7 neurons or 2 steps, or spikes of another T or N.

    Source:
        Skatchkovsky, Simeone & Jang 2021.

    Example:
        >>> TimeDecoder(4, 6, 9, "linear")(torch.zeros(6, 2, 4)).shape
        torch.Size([2, 9])
    """

    def __init__(self, neurons: int, num_steps: int, outputs: int = 784, decoding: Decoding = "mlp") -> None:
        """Make the layers."""
        super().__init__()
        self.neurons, self.num_steps, self.outputs, self.decoding = neurons, num_steps, outputs, decoding
        raster = neurons * num_steps
        if decoding == "linear":
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(raster, outputs))
        elif decoding == "mlp":
            self.layers = nn.Sequential(
                nn.Flatten(), nn.Linear(raster, raster // 2), nn.ReLU(), nn.Linear(raster // 2, outputs)
            )
        elif decoding == "rate":
            self.layers = nn.Sequential(nn.Linear(neurons, raster // 2), nn.ReLU(), nn.Linear(raster // 2, outputs))
        elif decoding == "conv":
            if neurons < 7 or num_steps < 2:
                raise InputError(f"Expected 7 neurons and 2 steps or more to convolve, got {neurons} and {num_steps}")
            convolutions = nn.Sequential(
                nn.Conv1d(num_steps, num_steps // 2, 3, 2), nn.Conv1d(num_steps // 2, 20, 3, 2), nn.ReLU(), nn.Flatten()
            )
            size = convolutions(torch.zeros(1, num_steps, neurons)).shape[1]
            self.layers = nn.Sequential(*convolutions, nn.Linear(size, outputs))
        else:
            raise InputError(f"Expected `decoding` of ['mlp', 'linear', 'conv', 'rate'], got {decoding!r}")

    def forward(self, spikes: Tensor) -> Tensor:
        """Logits of the pixels."""
        if spikes.dim() != 3 or (spikes.shape[0], spikes.shape[2]) != (self.num_steps, self.neurons):
            raise InputError(
                f"Expected spikes of shape [{self.num_steps}, B, {self.neurons}] for this decoder, "
                f"got {list(spikes.shape)}"
            )
        read = spikes.sum(0) if self.decoding == "rate" else spikes.transpose(0, 1)
        logits: Tensor = self.layers(read)
        return logits


@dataclass(frozen=True, eq=False)
class HybridOutput:
    """What a hybrid variational autoencoder drew and made of it."""

    pixels: Tensor
    """Logits of the pixels, ``[B, outputs]``."""
    code: Tensor
    """Spikes of the readout, ``[T, B, latent]``."""
    logits: Tensor
    """Their logits."""
    hidden: Tensor
    """Spikes of the hidden layer, ``[T, B, hidden]``."""

    def information(self, rate: float) -> Tensor:
        r"""Sample of the directed information of each sample's code beyond a reference that fires by chance, ``[B]``.

        .. math:: \frac{1}{T N} \sum_{t,i} \log \frac{p(z_i[t] \mid x_{\le t}, z_{<t})}{r(z_i[t])}
        """
        return bernoulli_information(self.logits, self.code, rate).mean((0, 2))


class HybridVAE(Pretrained):
    """Spiking encoder with a code drawn by chance, and a conventional decoder that reads the code's timing.

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
        InputError: for input spikes of another shape or dtype than the weights, or values outside [0, 1].

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
        self.config = {
            "inputs": inputs,
            "hidden": hidden,
            "latent": latent,
            "num_steps": num_steps,
            "decoding": decoding,
            "outputs": outputs,
            "n_basis": n_basis,
            "memory": memory,
        }

    def encode(
        self, spikes: Tensor, generator: torch.Generator | None = None, draws: int = 1
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Code and its logits, ``[T, draws * B, latent]``, and the hidden layer's spikes."""
        if spikes.dim() != 3 or (spikes.shape[0], spikes.shape[2]) != (self.num_steps, self.inputs):
            raise InputError(f"Expected spikes of shape [{self.num_steps}, B, {self.inputs}], got {list(spikes.shape)}")
        check_unit_interval(spikes, dtype=self.hidden.weight.dtype)
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

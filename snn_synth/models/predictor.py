"""The hybrid network that predicts spikes: a spiking encoder, and a conventional decoder of its last time steps."""

from dataclasses import dataclass

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional import bernoulli_information
from snn_synth.functional.encoding import unit_interval
from snn_synth.functional.inputs import as_values
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.readout import StochasticReadout
from snn_synth.models.time_decoder import Decoding, TimeDecoder


@dataclass(frozen=True, eq=False)
class PredictorOutput:
    """What a predictor drew and made of it.

    Example:
        >>> ones, zeros = torch.ones(3, 1, 2), torch.zeros(3, 1, 2)
        >>> out = PredictorOutput(scores=torch.zeros(2, 1, 4), code=ones, logits=zeros)
        >>> out.information(rate=0.25)  # log(0.5 / 0.25)
        tensor([[0.6931],
                [0.6931],
                [0.6931]])
    """

    scores: Tensor
    """Logits of the configurations, ``[T - window + 1, B, outputs]``: from the first full window on."""
    code: Tensor
    """Spikes of the readout, ``[T, B, latent]``."""
    logits: Tensor
    """Their logits."""

    def information(self, rate: float) -> Tensor:
        """Sample of the code's information beyond a reference that fires at random, mean over neurons: ``[T, B]``."""
        return bernoulli_information(self.logits, self.code, rate).mean(2)


class HybridPredictor(Pretrained):
    """Stochastic neurons on input spikes, and at each step a decoder that reads their last few steps.

    Args:
        inputs: of the encoder.
        outputs: configurations that the decoder tells apart.
        latent: stochastic neurons.
        window: time steps that the decoder reads.
        decoding: see :class:`~snn_synth.models.TimeDecoder`; ``rate`` is the control.
        n_basis: of the readout, see :class:`~snn_synth.models.StochasticReadout`.
        memory: of the readout.

    Shape:
        input spikes ``[T, B, inputs]`` to a :class:`PredictorOutput`. The readout at step t knows the inputs up to
        t.

    Raises:
        InputError: for sizes below 1, input spikes of another shape, values outside [0, 1],
            or fewer time steps than the window has.

    Source:
        Skatchkovsky, Simeone & Jang 2021 (predictive coding), and the authors' code.

    Example:
        >>> predictor = HybridPredictor(inputs=3, outputs=6, latent=2, window=2)
        >>> predictor(torch.ones(5, 4, 3), torch.Generator().manual_seed(0)).scores.shape
        torch.Size([4, 4, 6])
    """

    def __init__(
        self,
        inputs: int = 20,
        outputs: int = 210,
        latent: int = 10,
        window: int = 5,
        decoding: Decoding = "linear",
        n_basis: int = 8,
        memory: int = 10,
    ) -> None:
        """Make encoder and decoder."""
        super().__init__()
        if min(inputs, outputs, latent, window) < 1:
            raise InputError(f"Expected sizes of at least 1, got {inputs}, {outputs}, {latent} and {window}")
        self.inputs, self.window = inputs, window
        self.readout = StochasticReadout(inputs, latent, n_basis, memory)
        self.decoder = TimeDecoder(latent, window, outputs, decoding)

    def encode(self, spikes: Tensor, generator: torch.Generator | None = None, draws: int = 1) -> tuple[Tensor, Tensor]:
        """Code and its logits, ``[T, draws * B, latent]``."""
        spikes = as_values(spikes, self.readout.weight, "spikes")
        if spikes.dim() != 3 or spikes.shape[2] != self.inputs or len(spikes) < self.window:
            raise InputError(
                f"Expected spikes of shape [T, B, {self.inputs}] with T of at least {self.window}, "
                f"got {list(spikes.shape)}"
            )
        spikes = unit_interval(spikes)
        code, logits = self.readout(spikes, generator, draws)
        return code, logits

    def decode(self, code: Tensor) -> Tensor:
        """Scores of each full window, ``[T - window + 1, B, outputs]``."""
        windows = code.unfold(0, self.window, 1)  # [T - window + 1, B, latent, window]
        scores: Tensor = self.decoder(windows.flatten(0, 1).permute(2, 0, 1))
        return scores.view(*windows.shape[:2], self.decoder.outputs)

    def forward(self, spikes: Tensor, generator: torch.Generator | None = None) -> PredictorOutput:
        """Draw a code and decode it at each step."""
        code, logits = self.encode(spikes, generator)
        return PredictorOutput(self.decode(code), code, logits)

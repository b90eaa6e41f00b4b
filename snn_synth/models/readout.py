"""Stochastic neurons that read filtered spike trains: the code of the hybrid networks."""

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional import causal_filter, raised_cosines


class StochasticReadout(nn.Module):
    r"""Neurons that fire at random, from the filtered past of their inputs and of themselves.

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

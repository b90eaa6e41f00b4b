"""A codebook: the vectors that a quantized code may take."""

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional.quantization import CodebookMeans, follow_codes, quantize

_UNUSED = 0.1  # codes of a batch, on average, below which a vector is put elsewhere


class Codebook(nn.Module):
    """Vectors that follow the codes by moving averages; one that hardly any code takes starts again at some code.

    Args:
        size: K, number of vectors.
        features: D, of each.
        decay: of the averages, of a batch.

    Shape:
        ``[..., D]`` to ``[..., D]`` and tokens ``[...]``.

    Raises:
        InputError: for sizes below 1, or a decay outside [0, 1).

    Source:
        van den Oord, Vinyals & Kavukcuoglu 2017 (VQ-VAE), appendix A.1.

    Example:
        >>> chosen, tokens = Codebook(size=8, features=3)(torch.rand(2, 5, 3))
        >>> chosen.shape, tokens.shape
        (torch.Size([2, 5, 3]), torch.Size([2, 5]))
    """

    def __init__(self, size: int, features: int, decay: float = 0.99) -> None:
        """Vectors at random, and averages that will leave them soon."""
        super().__init__()
        if min(size, features) < 1 or not 0 <= decay < 1:
            raise InputError(
                f"Expected a size and features of at least 1 and a decay in [0, 1), got {size}, {features} and {decay}"
            )
        self.decay = decay
        self.vectors: Tensor = nn.Buffer(torch.rand(size, features))
        self.counts: Tensor = nn.Buffer(torch.zeros(size))
        self.sums: Tensor = nn.Buffer(torch.zeros(size, features))

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest vectors, with the gradient passed straight through, and their places."""
        return quantize(codes, self.vectors)

    @torch.no_grad()
    def follow(self, codes: Tensor, tokens: Tensor, generator: torch.Generator | None = None) -> None:
        """Learn from the codes of a batch, ``[n, D]``, and their tokens, ``[n]``."""
        codes = codes.detach().to(self.sums.dtype)
        with torch.autocast(codes.device.type, enabled=False):
            counts, sums = follow_codes(CodebookMeans(self.counts, self.sums), codes, tokens, self.decay)
        unused = counts < _UNUSED
        places = torch.randint(len(codes), (len(counts),), generator=generator, device=codes.device)
        self.counts.copy_(torch.where(unused, 1.0, counts))
        self.sums.copy_(torch.where(unused[:, None], codes[places], sums))
        self.vectors.copy_(self.sums / self.counts[:, None])

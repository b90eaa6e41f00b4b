"""Vector quantization: codes take the nearest of a codebook's vectors, and the codebook follows the codes."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from snn_synth.errors import InputError


def nearest_codeword(codes: Tensor, codebook: Tensor) -> Tensor:
    r"""The token of each code: the place in the codebook of the vector nearest to it.

    .. math:: k_i = \arg\min_k \lVert c_i - e_k \rVert^2

    Args:
        codes: c.
        codebook: e.

    Shape:
        ``codes``: ``[..., D]``; ``codebook``: ``[K, D]``; the result ``[...]``, integers from 0 to K - 1.

    Raises:
        InputError: for vectors of different lengths.

    Source:
        van den Oord, Vinyals & Kavukcuoglu 2017 (VQ-VAE), eq. 1.

    Example:
        >>> nearest_codeword(torch.tensor([[0.1], [0.8]]), torch.tensor([[0.0], [1.0], [5.0]]))
        tensor([0, 1])
    """
    if codebook.dim() != 2 or codes.shape[-1:] != codebook.shape[1:]:
        raise InputError(
            f"Expected codes [..., D] and a codebook [K, D], got {list(codes.shape)} and {list(codebook.shape)}"
        )
    # |c|^2 is the same for every k.
    return (codebook.square().sum(1) - 2 * codes @ codebook.T).argmin(-1)


def quantize(codes: Tensor, codebook: Tensor) -> tuple[Tensor, Tensor]:
    r"""Each code's nearest vector of the codebook, with the gradient passed straight through to the code.

    .. math:: q = e_k, \qquad \frac{\partial q}{\partial c} \approx 1

    Args:
        codes: c.
        codebook: e.

    Shape:
        ``codes`` and the first result: ``[..., D]``; ``codebook``: ``[K, D]``; the tokens ``[...]``.

    Returns:
        q and the tokens k.

    Source:
        van den Oord, Vinyals & Kavukcuoglu 2017 (VQ-VAE), section 3.2.

    Example:
        >>> codes = torch.tensor([[0.1], [0.8]], requires_grad=True)
        >>> chosen, tokens = quantize(codes, torch.tensor([[0.0], [1.0]]))
        >>> chosen.detach().flatten(), tokens, torch.autograd.grad(chosen.sum(), codes)[0].flatten()
        (tensor([0., 1.]), tensor([0, 1]), tensor([1., 1.]))
    """
    tokens = nearest_codeword(codes.detach(), codebook)
    chosen = F.embedding(tokens, codebook)
    return codes + (chosen - codes).detach(), tokens


class CodebookMeans(NamedTuple):
    """Moving averages from which a codebook is made."""

    counts: Tensor
    """How many codes of a batch took each vector, ``[K]``."""
    sums: Tensor
    """And what these codes sum up to, ``[K, D]``."""


def follow_codes(means: CodebookMeans, codes: Tensor, tokens: Tensor, decay: float) -> CodebookMeans:
    r"""Moving averages after a batch; the codebook is their ratio.

    .. math:: N_k \leftarrow \gamma N_k + (1 - \gamma)\, n_k, \qquad
        m_k \leftarrow \gamma m_k + (1 - \gamma) \sum_{i:\,k_i = k} c_i, \qquad e_k = \frac{m_k}{N_k}

    with :math:`n_k` codes of the batch that took vector k.

    Args:
        means: N and m.
        codes: c.
        tokens: k, of each code.
        decay: :math:`\gamma`.

    Shape:
        ``codes``: ``[n, D]``; ``tokens``: ``[n]``.

    Source:
        van den Oord, Vinyals & Kavukcuoglu 2017 (VQ-VAE), appendix A.1.

    Example:
        >>> means = CodebookMeans(torch.ones(2), torch.tensor([[0.0], [1.0]]))
        >>> means = follow_codes(means, torch.tensor([[0.5], [0.5], [1.0]]), torch.tensor([0, 0, 1]), decay=0.5)
        >>> means.counts, means.sums.flatten()
        (tensor([1.5000, 1.0000]), tensor([0.5000, 1.0000]))
    """
    codes = codes.to(means.sums.dtype)  # under mixed precision they are rounded
    taken = F.one_hot(tokens, len(means.counts)).to(codes.dtype)
    return CodebookMeans(
        torch.lerp(taken.sum(0), means.counts, decay),
        torch.lerp(taken.T @ codes, means.sums, decay),
    )

"""Absorbing diffusion over tokens: they are masked step by step, and a network tells from the rest what they were."""

import torch
import torch.nn.functional as F
from torch import Tensor

from snn_synth.errors import InputError


def mask_tokens(tokens: Tensor, share: Tensor, masked: int, generator: torch.Generator | None = None) -> Tensor:
    r"""Put the mask in the place of each token with the probability of its sample.

    .. math:: x_t = \begin{cases} \text{mask} & \text{with probability } t / S \\ x_0 & \text{else} \end{cases}

    Args:
        tokens: :math:`x_0`.
        share: t / S.
        masked: the number that stands for the mask.
        generator: of the random numbers.

    Shape:
        ``tokens`` and the result: ``[B, N]``; ``share``: ``[B]``.

    Source:
        Austin et al. 2021 (D3PM), section 3.1; Bond-Taylor et al. 2022, eq. 4.

    Example:
        >>> mask_tokens(torch.tensor([[3, 4], [5, 6]]), torch.tensor([0.0, 1.0]), masked=9)
        tensor([[3, 4],
                [9, 9]])
    """
    drawn = torch.rand(tokens.shape, device=tokens.device, generator=generator)
    return tokens.masked_fill(drawn < share[:, None], masked)


def token_nats(logits: Tensor, tokens: Tensor) -> Tensor:
    """-log p of each token, in nats: ``[B, N, K]`` and ``[B, N]`` to ``[B, N]``.

    Example:
        >>> token_nats(torch.zeros(1, 2, 4), torch.tensor([[0, 3]]))
        tensor([[1.3863, 1.3863]])
    """
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view_as(tokens)


def token_loss(logits: Tensor, tokens: Tensor, hidden: Tensor, share: Tensor) -> Tensor:
    r"""How badly masked tokens are told, weighted less where many are masked and little can be known.

    .. math:: L = \frac{1}{B N} \sum_b \Bigl(1 - \frac{t_b}{S}\Bigr) \sum_{i\ \text{masked}} -\log p(x_{0,i} \mid x_t)

    in nats.

    Args:
        logits: of p.
        tokens: :math:`x_0`.
        hidden: whether a token is masked.
        share: t / S.

    Shape:
        ``logits``: ``[B, N, K]``; ``tokens`` and ``hidden``: ``[B, N]``; ``share``: ``[B]``; the result is a scalar.

    Source:
        Bond-Taylor et al. 2022 (*Unleashing Transformers*), eq. 9; Liu et al. 2023 (Spiking-Diffusion).

    Example:
        >>> even = torch.zeros(1, 2, 4)  # each of four tokens is as likely: log 4 = 1.3863 nats
        >>> token_loss(even, torch.tensor([[0, 3]]), torch.tensor([[True, False]]), torch.tensor([0.5]))
        tensor(0.3466)
    """
    loss: Tensor = ((1 - share)[:, None] * token_nats(logits, tokens) * hidden).mean()
    return loss


def guided_logits(logits: Tensor, unconditional: Tensor, guidance: float) -> Tensor:
    r"""Logits that stress what the condition changes.

    .. math:: l' = l + g\,(l - l_{\varnothing})

    Args:
        logits: l, of a class, say.
        unconditional: :math:`l_\varnothing`, without one.
        guidance: g; 0 leaves the logits as they are.

    Shape:
        all ``[...]``.

    Source:
        Ho & Salimans 2022 (classifier-free guidance), eq. 6.

    Example:
        >>> guided_logits(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0]), 0.5)
        tensor([1.0000, 3.5000])
    """
    return logits + guidance * (logits - unconditional)


def unmask_tokens(
    tokens: Tensor,
    logits: Tensor,
    step: int,
    masked: int,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""One step back: each masked token is drawn with probability 1/t, by a softmax of the logits.

    .. math:: x_{t-1,i} \sim \operatorname{softmax}(l_i / \tau) \ \text{with probability}\ 1/t,
        \quad \text{else}\ x_{t,i}

    At t = 1 nothing stays masked.

    Args:
        tokens: :math:`x_t`.
        logits: l.
        step: t.
        masked: the number that stands for the mask.
        temperature: :math:`\tau`; below 1, likely tokens are drawn more often than they occur.
        generator: of the random numbers.

    Shape:
        ``tokens`` and the result: ``[B, N]``; ``logits``: ``[B, N, K]``.

    Raises:
        InputError: for a step below 1 or a temperature that is not above 0.

    Source:
        Bond-Taylor et al. 2022 (*Unleashing Transformers*), algorithm 2.

    Example:
        >>> sure = torch.tensor([[[0.0, 50.0], [0.0, 50.0]]])
        >>> unmask_tokens(torch.tensor([[0, 2]]), sure, step=1, masked=2)
        tensor([[0, 1]])
    """
    if step < 1 or not 0 < temperature < float("inf"):
        raise InputError(f"Expected a step of at least 1 and a temperature above 0, got {step} and {temperature}")
    shape = tokens.shape
    drawn_now = torch.rand(shape, device=tokens.device, generator=generator) < 1 / step
    # The largest of logits with Gumbel noise is a draw of their softmax; in bfloat16, rare tokens would be rarer.
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    noise = torch.rand(logits.shape, dtype=logits.dtype, device=logits.device, generator=generator)
    gumbel = -(-noise.log()).log()  # -inf where the noise is 0
    drawn = (logits / temperature + gumbel).argmax(-1)
    return torch.where((tokens == masked) & drawn_now, drawn, tokens)

"""A spiking network that tells masked tokens from those that are left."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.models.pretrained import Pretrained
from snn_synth.neurons import SigmoidLeaky
from snn_synth.synapses import SpikeLinear

_OF_INPUTS = 64  # features of the condition, and of how many tokens are masked


class SpikingTokenDenoiser(Pretrained):
    r"""Logits of every token, given those that are not masked and, if wanted, a condition.

    Tokens are embedded; they, the condition and the number of masked tokens are a constant current of the first layer.
    The second layer has some neurons for each place, whose firing rates a linear operator reads:

    .. math:: l_i = W\, \overline{s_i[t]} + b_i

    with one W for all places.

    Args:
        tokens: K, how many there are; number K stands for the mask.
        places: N, tokens of an image.
        conditions: length of the condition, a one-hot class or any other vector; zeros are none.
        embedding: features of a token.
        hidden: neurons of the first layer.
        features: neurons of each place in the second layer.
        num_steps: T.
        alpha: leak of all neurons.

    Shape:
        tokens ``[B, N]`` and condition ``[B, conditions]`` to logits ``[B, N, K]``.

    Raises:
        InputError: for sizes below 1, tokens that are none, or tokens and conditions of another shape.

    Source:
        Liu et al. 2023 (Spiking-Diffusion), stage 2, whose denoiser is a convolutional network that reads the tokens'
        numbers; ours embeds them and is fully connected.

    Example:
        >>> denoiser = SpikingTokenDenoiser(tokens=5, places=4, conditions=10, hidden=8)
        >>> denoiser(torch.tensor([[0, 5, 5, 3]])).shape
        torch.Size([1, 4, 5])
    """

    def __init__(
        self,
        tokens: int = 128,
        places: int = 49,
        conditions: int = 10,
        embedding: int = 16,
        hidden: int = 1024,
        features: int = 32,
        num_steps: int = 4,
        alpha: float = 0.5,
    ) -> None:
        """Make the layers."""
        super().__init__()
        if min(tokens, places, conditions, embedding, hidden, features, num_steps) < 1:
            raise InputError(
                f"Expected sizes of at least 1, got {tokens}, {places}, {conditions}, {embedding}, {hidden}, "
                f"{features} and {num_steps}"
            )
        self.tokens, self.places, self.conditions, self.num_steps = tokens, places, conditions, num_steps
        self.embed = nn.Embedding(tokens + 1, embedding)
        self.condition = nn.Linear(conditions, _OF_INPUTS, bias=False)
        self.count = nn.Embedding(places + 1, _OF_INPUTS)
        self.input = nn.Linear(places * embedding + 2 * _OF_INPUTS, hidden)
        self.hidden_neurons = SigmoidLeaky(alpha)
        self.output = SpikeLinear(hidden, places * features, bias=True)
        self.output_neurons = SigmoidLeaky(alpha)
        self.head = nn.Linear(features, tokens, bias=False)
        self.bias = nn.Parameter(torch.zeros(places, tokens))

    @property
    def masked(self) -> int:
        """The number that stands for the mask."""
        return self.tokens

    def forward(self, tokens: Tensor, condition: Tensor | None = None) -> Tensor:
        """Logits of every place; of those that are not masked they mean nothing."""
        if tokens.dim() != 2 or tokens.shape[1] != self.places or tokens.is_floating_point():
            raise InputError(f"Expected tokens of shape [B, {self.places}], integers, got {list(tokens.shape)}")
        tokens = tokens.long()
        if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) <= self.masked:
            raise InputError(
                f"Expected tokens from 0 to {self.masked}, the mask, got {int(tokens.min())} to {int(tokens.max())}"
            )
        if condition is None:
            condition = self.bias.new_zeros(len(tokens), self.conditions)
        if condition.shape != (len(tokens), self.conditions):
            raise InputError(
                f"Expected a condition of shape [{len(tokens)}, {self.conditions}], got {list(condition.shape)}"
            )
        count = self.count((tokens == self.masked).sum(1))
        seen = torch.cat([self.embed(tokens).flatten(1), self.condition(condition.to(self.bias.dtype)), count], 1)
        current = self.input(seen)
        spikes = self.hidden_neurons.scan(current.expand(self.num_steps, *current.shape).contiguous())[0]
        fired = self.output_neurons.scan(self.output(spikes))[0]
        rates = fired.mean(0).view(len(tokens), self.places, self.head.in_features)
        logits: Tensor = self.head(rates) + self.bias
        return logits

    def one_hot(self, labels: Tensor) -> Tensor:
        """The condition of classes ``[B]``."""
        return F.one_hot(labels, self.conditions).to(self.bias.dtype)

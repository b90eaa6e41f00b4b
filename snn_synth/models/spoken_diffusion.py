"""Spoken words to new images: the code of an audiocoder is the condition of a VQ-diffusion."""

from typing import Any

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.synthesis import AudioToImage
from snn_synth.models.vq_diffusion import SpikingVQDiffusion


class CodeCondition(Pretrained):
    r"""The condition of a denoiser that an audiocoder's code gives.

    .. math:: c = \operatorname{softmax}(W r + b)

    with r the code's firing rates, so that a word lies between the denoiser's classes, and at one of them if its code
    is clear.

    Args:
        code: neurons of the code.
        conditions: length of the condition.

    Shape:
        Rates ``[B, code]`` to ``[B, conditions]``.

    Raises:
        InputError: for sizes below 1, or rates of another shape.

    Example:
        >>> CodeCondition(code=6, conditions=2)(torch.zeros(3, 6)).shape
        torch.Size([3, 2])
    """

    def __init__(self, code: int = 196, conditions: int = 10) -> None:
        """Start halfway between all classes."""
        super().__init__()
        if min(code, conditions) < 1:
            raise InputError(f"Expected sizes of at least 1, got {code} and {conditions}")
        self.linear = nn.Linear(code, conditions)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    @property
    def code(self) -> int:
        """Neurons of the code."""
        return self.linear.in_features

    @property
    def conditions(self) -> int:
        """Length of the condition."""
        return self.linear.out_features

    def forward(self, rates: Tensor) -> Tensor:
        """The condition of each word."""
        if rates.dim() != 2 or rates.shape[1] != self.code:
            raise InputError(f"Expected firing rates of shape [B, {self.code}], got {list(rates.shape)}")
        condition: Tensor = self.linear(rates).softmax(1)
        return condition


class SpokenDiffusion(Pretrained):
    """Draws new images of spoken words: each time other ones.

    Args:
        audio: whose audiocoder makes the code of a word; its decoder draws the one image that it was trained on.
        diffusion: that draws new images under a condition.
        condition: of a code.

    Shape:
        Spectrograms ``[B, C, F]`` to images ``[B, count, 1, side, side]`` in [0, 1].

    Raises:
        InputError: for parts that do not fit each other.

    Source:
        Roy, Panda & Roy 2019, section 4.2, whose data set B has another image for each utterance and whose network
        draws the mean of these; Liu et al. 2023 (Spiking-Diffusion).

    Example:
        >>> from snn_synth.models import ACSNN, AESNN, SpikingTokenDenoiser, SpikingVQAE
        >>> denoiser = SpikingTokenDenoiser(tokens=5, places=4, conditions=2, hidden=8)
        >>> diffusion = SpikingVQDiffusion(SpikingVQAE(8, (4, 4), 3, 5), denoiser)
        >>> audio = AudioToImage(ACSNN(60, 8, 4), AESNN(64, 4), (1, 8, 8))
        >>> spoken = SpokenDiffusion(audio, diffusion, CodeCondition(4, 2)).eval()
        >>> spoken(torch.zeros(3, 6, 10), count=2, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([3, 2, 1, 8, 8])
    """

    def __init__(self, audio: AudioToImage, diffusion: SpikingVQDiffusion, condition: CodeCondition) -> None:
        """Put the three together."""
        super().__init__()
        code, conditions = audio.audiocoder.code, diffusion.denoiser.conditions
        if (condition.code, condition.conditions) != (code, conditions):
            raise InputError(
                f"Expected a condition of length {conditions} from a code of {code} neurons, got one of length "
                f"{condition.conditions} from {condition.code}"
            )
        self.audio, self.diffusion, self.condition = audio, diffusion, condition

    @torch.no_grad()
    def forward(
        self,
        spectrograms: Tensor,
        count: int = 5,
        generator: torch.Generator | None = None,
        **encoding: Any,
    ) -> Tensor:
        """New images of each word.

        Args:
            spectrograms: of the words, values in [0, 1].
            count: images of each.
            generator: of the input spikes and of the images.
            **encoding: further arguments of :meth:`AudioToImage.forward`: ``num_steps``, ``max_rate``, ...
        """
        code = self.audio(spectrograms, generator=generator, **encoding).hidden
        return self.imagine(code.mean(0), count, generator)

    @torch.no_grad()
    def imagine(self, rates: Tensor, count: int = 5, generator: torch.Generator | None = None) -> Tensor:
        """New images of words of whose code the firing rates are known: ``[B, code]``, the ``hidden`` spikes' means.

        Returns:
            ``[B, count, 1, side, side]``.

        Raises:
            InputError: for a count below 1, or rates of another shape.
        """
        if count < 1:
            raise InputError(f"Expected a count of at least 1, got {count}")
        condition = self.condition(rates).repeat_interleave(count, 0)
        images = self.diffusion.sample(len(condition), generator, condition=condition)
        return images.view(len(rates), count, *images.shape[1:])

"""New images from a spiking autoencoder of tokens and a spiking denoiser that draws the tokens."""

import math
from collections.abc import Iterator, Sequence
from numbers import Real

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.absorbing import guided_logits, mask_tokens, unmask_tokens
from snn_synth.functional.inputs import as_tensor, as_values, shown
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.token_denoiser import SpikingTokenDenoiser
from snn_synth.models.vq_autoencoder import SpikingVQAE
from snn_synth.models.wanted import check_count, class_labels

GUIDANCE = 0.5  # for clearer images, somewhat less varied; a network has 0 until it is set


class SpikingVQDiffusion(Pretrained):
    """Draws images by absorbing diffusion: all tokens are masked at first and drawn some at a time; spikes decode them.

    Args:
        autoencoder: of images and tokens.
        denoiser: of tokens.
        sampling_steps: S, in which all tokens are drawn.
        temperature: of the draws; below 1, likely tokens come more often than they should.
        guidance: how much the condition is stressed, see :func:`~snn_synth.functional.guided_logits`.

    Raises:
        InputError: for networks that do not fit each other, or settings out of range.

    Source:
        Liu et al. 2023 (Spiking-Diffusion); Bond-Taylor et al. 2022 (absorbing diffusion).

    Example:
        >>> vqd = SpikingVQDiffusion(SpikingVQAE(8, (4, 4), 3, 5), SpikingTokenDenoiser(5, 4, hidden=8)).eval()
        >>> vqd.sample(2, torch.Generator().manual_seed(0), labels=torch.tensor([3, 7])).shape
        torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        autoencoder: SpikingVQAE,
        denoiser: SpikingTokenDenoiser,
        sampling_steps: int = 25,
        temperature: float = 1.0,
        guidance: float = 0.0,
    ) -> None:
        """Keep both networks."""
        super().__init__()
        if (autoencoder.tokens, autoencoder.places) != (denoiser.tokens, denoiser.places):
            raise InputError(
                f"Expected a denoiser of the autoencoder's {autoencoder.tokens} tokens at {autoencoder.places} places, "
                f"got one of {denoiser.tokens} at {denoiser.places}"
            )
        self.autoencoder, self.denoiser = autoencoder, denoiser
        self.sampling_steps, self.temperature, self.guidance = sampling_steps, temperature, guidance
        self._check_settings()

    @property
    def side(self) -> int:
        """Of the images."""
        return self.autoencoder.side

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator | None = None,
        labels: Tensor | Sequence[int] | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """New images, ``[count, 1, side, side]`` in [0, 1].

        Args:
            count: of images.
            generator: of the random numbers.
            labels: a class of each, ``[count]``; without them, classes come as they may, the images are worse, and
                ``guidance`` has no effect.
            condition: instead, the denoiser's condition of each, ``[count, conditions]``.

        Raises:
            InputError: for labels or conditions of another shape, labels that the denoiser does not know, or settings
                out of range.
        """
        wanted = self._condition(count, labels, condition)
        return self.autoencoder.decode(self._drawn(self._blank(count), generator, wanted))

    @torch.no_grad()
    def forming(
        self,
        count: int,
        generator: torch.Generator | None = None,
        labels: Tensor | Sequence[int] | None = None,
        condition: Tensor | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The same images as they form: of each step, tokens ``[count, N]`` and the images so far.

        Masked tokens are drawn as the mean vector of the codebook.
        """
        for tokens in self.steps(self._blank(count), generator, self._condition(count, labels, condition)):
            yield tokens, self._so_far(tokens)

    @torch.no_grad()
    def complete(
        self,
        images: Tensor,
        mask: Tensor,
        generator: torch.Generator | None = None,
        labels: Tensor | Sequence[int] | None = None,
    ) -> Tensor:
        """Images whose missing parts are drawn anew.

        Tokens of which a pixel is missing are masked and drawn; the pixels that are there stay.

        Args:
            images: ``[B, 1, side, side]`` in [0, 1]; missing pixels may be anything in it.
            mask: True where a pixel is missing, of a shape that broadcasts to the images'.
            generator: of the random numbers.
            labels: a class of each; without them, that of :meth:`likely_labels`.

        Raises:
            InputError: for images or a mask of another shape.
        """
        images, mask = as_values(images, name="images"), as_tensor(mask, "mask")
        if images.shape[1:] != (1, self.side, self.side):
            raise InputError(f"Expected images of shape [B, 1, {self.side}, {self.side}], got {list(images.shape)}")
        try:
            missing = mask.bool().expand(images.shape)
        except RuntimeError:
            raise InputError(
                f"Expected a mask that broadcasts to {list(images.shape)}, got {list(mask.shape)}"
            ) from None
        if (mask != mask.bool()).any():
            raise InputError(f"Expected a mask of True and False, or ones and zeros, got {shown(mask)}")
        known = images.masked_fill(missing, 0.0)
        rows = self.side // 4
        blocks = missing.reshape(len(images), rows, 4, rows, 4).any(4).any(2).flatten(1)  # of 4 x 4 pixels
        tokens = self.autoencoder.encode(known).masked_fill(blocks, self.denoiser.masked)
        labels = self.likely_labels(tokens, generator) if labels is None else labels
        drawn = self.autoencoder.decode(self._drawn(tokens, generator, self._condition(len(images), labels, None)))
        return torch.where(missing, drawn, known)

    @torch.no_grad()
    def likely_labels(self, tokens: Tensor, generator: torch.Generator | None = None, rounds: int = 12) -> Tensor:
        r"""The class under which the denoiser tells the tokens that are there best.

        .. math:: \hat y = \arg\max_y \sum_{r} \sum_{i\ \text{masked in}\ r} \log p(k_i \mid x_r, y)

        In each round some tokens are masked, by the training's rule, the same for every class.

        Args:
            tokens: ``[B, N]``, of which some may be masked already: those are told by no class.
            generator: of the masks.
            rounds: how many.

        Source:
            Li et al. 2023 (*Your Diffusion Model is Secretly a Zero-Shot Classifier*), algorithm 1.
        """
        denoiser = self.denoiser
        there, score = tokens != denoiser.masked, tokens.new_zeros(len(tokens), denoiser.conditions, dtype=torch.float)
        wanted = tokens.masked_fill(~there, 0)[..., None]
        for _ in range(rounds):
            share = torch.rand(len(tokens), device=tokens.device, generator=generator)
            seen = mask_tokens(tokens, share, denoiser.masked, generator)
            hidden = there & (seen == denoiser.masked)
            for label in range(denoiser.conditions):
                condition = denoiser.one_hot(torch.full_like(tokens[:, 0], label))
                known = denoiser(seen, condition).log_softmax(-1).gather(2, wanted).squeeze(2)
                score[:, label] += (known * hidden).sum(1)
        return score.argmax(1)

    @torch.no_grad()
    def walk(self, first: int, last: int, frames: int = 10, generator: torch.Generator | None = None) -> Tensor:
        """Images on the way from one class to another, ``[frames, 1, side, side]``.

        The condition moves in a straight line; the random numbers are the same for every frame.

        Raises:
            InputError: for classes that the denoiser does not know, or fewer than two frames.
        """
        if frames < 2:
            raise InputError(f"Expected at least 2 frames, got {frames}")
        ends = self._condition(2, [first, last], None)
        assert ends is not None
        generator = generator or torch.Generator(ends.device).manual_seed(0)
        start = generator.get_state()
        images = []
        for share in torch.linspace(0, 1, frames, device=ends.device):
            generator.set_state(start)
            images.append(self.sample(1, generator, condition=torch.lerp(ends[:1], ends[1:], share)))
        return torch.cat(images)

    def steps(self, tokens: Tensor, generator: torch.Generator | None, condition: Tensor | None) -> Iterator[Tensor]:
        """Tokens ``[B, N]`` after each step, until none is masked."""
        self._check_settings()
        most = int((tokens == self.denoiser.masked).sum(1).max()) if len(tokens) else 0
        for step in range(math.ceil(self.sampling_steps * most / tokens.shape[1]), 0, -1):
            logits = self.denoiser(tokens, condition)
            if condition is not None and self.guidance:
                logits = guided_logits(logits, self.denoiser(tokens), self.guidance)
            tokens = unmask_tokens(tokens, logits, step, self.denoiser.masked, self.temperature, generator)
            yield tokens

    def _drawn(self, tokens: Tensor, generator: torch.Generator | None, condition: Tensor | None) -> Tensor:
        for drawn in self.steps(tokens, generator, condition):
            tokens = drawn
        return tokens

    def _blank(self, count: int) -> Tensor:
        check_count(count)
        device = self.denoiser.bias.device
        return torch.full((count, self.denoiser.places), self.denoiser.masked, device=device)

    def _condition(self, count: int, labels: Tensor | Sequence[int] | None, condition: Tensor | None) -> Tensor | None:
        if labels is None:
            if condition is not None and not as_tensor(condition, "a condition").isfinite().all():
                raise InputError(f"Expected a finite condition, got {shown(condition)}")
            return condition
        if condition is not None:
            raise InputError("Expected `labels` or a `condition`, got both")
        denoiser = self.denoiser
        return denoiser.one_hot(class_labels(labels, count, denoiser.conditions, denoiser.bias.device))

    def _check_settings(self) -> None:
        """Those of the constructor, which may have been set since."""
        steps, temperature, guidance = self.sampling_steps, self.temperature, self.guidance
        numbers = all(isinstance(one, Real) for one in (steps, temperature, guidance))
        if (
            not numbers
            or not 1 <= steps < float("inf")
            or steps != int(steps)
            or not 0 < temperature < float("inf")
            or not 0 <= guidance < float("inf")
        ):
            raise InputError(
                "Expected whole sampling_steps of at least 1, a temperature above 0 and a guidance of at least 0, "
                f"got {steps}, {temperature} and {guidance}"
            )

    def _so_far(self, tokens: Tensor) -> Tensor:
        """Images of tokens of which some are masked."""
        vectors = self.autoencoder.codebook.vectors
        with_mask = torch.cat([vectors, vectors.mean(0, keepdim=True)])
        return self.autoencoder.draw_vectors(with_mask[tokens])

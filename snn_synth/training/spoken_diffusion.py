"""Training a CodeCondition: a trained diffusion learns to draw the images of spoken words."""

from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor

from snn_synth import kernels
from snn_synth.data import as_pixels
from snn_synth.encoding import sample_keys
from snn_synth.errors import InputError
from snn_synth.functional.absorbing import mask_tokens, token_nats
from snn_synth.functional.encoding import RateCode, check_code
from snn_synth.metrics import Mean
from snn_synth.models import AudioToImage, CodeCondition, SpikingVQDiffusion, SpokenDiffusion
from snn_synth.models.vq_diffusion import GUIDANCE
from snn_synth.training.audiocoder import LitAudiocoder
from snn_synth.training.base import HELD_OUT, LitModule, batch_generator
from snn_synth.training.checkpoints import load_checkpoint
from snn_synth.training.loaders import SpeechBatch
from snn_synth.training.vq_diffusion import LitVQDiffusion
from snn_synth.training.words import PairedWords, data_of

EACH = 5  # images of a word that are shown together


class LitSpokenDiffusion(LitModule):
    r"""Trains a CodeCondition in front of a trained denoiser, which stays as it is, as does the audiocoder.

    .. math:: L = \overline{-\log p(k_i \mid x_u, c)}

    over the masked tokens of images of the word that was said, at each time others, whatever the data's pairing. Each
    token is masked with the probability :math:`u \sim \mathcal U(0, 1)` of its image.

    Logs ``train/loss`` and ``val/nats``, ``test/nats``, the same of held-out words.

    Args:
        network: the condition of a code.
        audio: a shipped AudioToImage, the folder of a saved one, or a checkpoint of a LitAudiocoder.
        diffusion: a shipped SpikingVQDiffusion, the folder of a saved one, or a checkpoint of a LitVQDiffusion.
        guidance: of the images that are drawn, see :func:`~snn_synth.functional.guided_logits`.
        num_steps: T of the words' spikes.
        max_rate: probability of an input spike per step for a value of 1; that of the audiocoder's training.
        code: how spectrograms become spikes; that of the audiocoder's training.
        seed: of spikes, images and masks.
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.

    Raises:
        InputError: for settings out of range; in ``fit``, for sources that are no such models, parts that do not fit
            each other, or words that are spikes already.

    Source:
        The data are Roy, Panda & Roy 2019, section 4.2, data set B; the loss is that of absorbing diffusion (Austin et
        al. 2021, D3PM) with equal weights, for the condition matters most where much is masked.

    Example:
        >>> LitSpokenDiffusion(CodeCondition(196, 10)).hparams["diffusion"]
        'mnist-vqd'
    """

    network: CodeCondition
    batch_kind: Any = SpeechBatch
    fixed: ClassVar[set[str]] = {"network", "audio", "diffusion"}

    def __init__(
        self,
        network: CodeCondition,
        audio: str = "fsdd",
        diffusion: str = "mnist-vqd",
        guidance: float = GUIDANCE,
        num_steps: int = 30,
        max_rate: float = 1.0,
        code: RateCode = "poisson",
        seed: int = 0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Keep the settings; what they name comes with ``fit`` or a checkpoint."""
        check_code(code)
        if not 0 <= guidance < float("inf") or num_steps < 1 or not 0 < max_rate <= 1:
            raise InputError(
                "Expected a guidance of at least 0, num_steps of at least 1 and a max_rate in (0, 1], got "
                f"{guidance}, {num_steps} and {max_rate}"
            )
        super().__init__(optimizer, lr_scheduler)
        self.network, self.guidance, self.seed = network, guidance, seed
        self.num_steps, self.max_rate, self.code = num_steps, max_rate, code
        self.audio_source, self.diffusion_source = audio, diffusion
        self.audio: AudioToImage | None = None
        self.diffusion: SpikingVQDiffusion | None = None
        self.rates: dict[int, Tensor] = {}  # of the code of each word, by its place
        self.heard = torch.empty(0)  # those of the words whose samples are shown
        self.val_nats, self.test_nats = Mean(), Mean()

    def spoken_diffusion(self) -> SpokenDiffusion:
        """The whole model, from a spectrogram to new images."""
        if self.audio is None or self.diffusion is None:
            raise InputError("Expected a trained LitSpokenDiffusion with its parts, got one before its first `fit`")
        return SpokenDiffusion(self.audio, self.diffusion, self.network).eval()

    def adopt(self, audio: AudioToImage, diffusion: SpikingVQDiffusion) -> None:
        """Use these two, as they are."""
        SpokenDiffusion(audio, diffusion, self.network)  # checks that they fit
        # Lightning warns of parts in evaluation mode, in which they are used all the same.
        self.audio = audio.requires_grad_(False).train()
        self.diffusion = diffusion.requires_grad_(False).train()
        self.diffusion.guidance = self.guidance

    def setup(self, stage: str) -> None:
        """Load the parts, unless a checkpoint brought them, and check that the data is theirs."""
        super().setup(stage)
        data, self.rates = self.data, {}
        if self.audio is None:
            self.adopt(self._load_audio(), _load_diffusion(self.diffusion_source))
        assert self.audio is not None
        assert self.diffusion is not None
        if data.front_end is None or data.inputs != self.audio.audiocoder.inputs:
            of = "spikes" if data.front_end is None else f"spectrograms of {data.inputs} values"
            raise InputError(f"Expected spectrograms of {self.audio.audiocoder.inputs} values, got {of}")
        side = self.diffusion.side
        if data.image_set.image_shape != (1, side, side):
            raise InputError(
                f"Expected images of {side} x {side} pixels in grey, got {list(data.image_set.image_shape)}"
            )
        self.images_of = [(data.image_labels == word).nonzero()[:, 0] for word in range(len(data.names))]

    def _load_audio(self) -> AudioToImage:
        """The speech model; its words must become spikes as they did in its training."""
        if not Path(self.audio_source).is_file():
            return AudioToImage.from_pretrained(self.audio_source)
        module = load_checkpoint(LitAudiocoder, self.audio_source)
        for name in ("num_steps", "max_rate", "code"):
            theirs, ours = getattr(module, name), getattr(self, name)
            if theirs != ours:
                raise InputError(f"Expected --model.{name} {theirs}, as {self.audio_source} was trained, got {ours}")
        return module.audio_to_image().eval()

    @property
    def data(self) -> PairedWords:
        """The trainer's DataModule, which holds the images."""
        return data_of(self, "SpokenWordsData")

    def training_step(self, batch: SpeechBatch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        generator = batch_generator(batch.index, self.seed, self.current_epoch, self.device)
        nats = self._nats(self.rates_of(batch), batch.labels, generator)
        loss = nats.sum() / max(1, len(nats))  # of a small batch no token may be masked
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: SpeechBatch, batch_idx: int) -> None:
        """Measure."""
        self._measure("val", batch)
        if batch_idx == 0:
            self.heard = self.rates_of(batch)

    def test_step(self, batch: SpeechBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Measure."""
        if dataloader_idx == 0:
            self._measure("test", batch)

    def predict_step(self, batch: SpeechBatch, batch_idx: int = 0) -> Tensor:
        """A new image of each word, ``[B, 1, side, side]`` in [0, 1]."""
        generator = batch_generator(batch.index, self.seed, HELD_OUT, self.device)
        return self.spoken_diffusion().imagine(self.rates_of(batch), 1, generator)[:, 0]

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """New images of words of the last validation: five of each, if there are words enough.

        Raises:
            InputError: if nothing has been validated.
        """
        whole = self.spoken_diffusion()
        if not len(self.heard):
            raise InputError("Expected words of a validation, whose samples these are, got none before the first")
        words = min(len(self.heard), -(-count // EACH))
        return whole.imagine(self.heard[:words], -(-count // words), generator).flatten(0, 1)[:count]

    def _measure(self, stage: str, batch: SpeechBatch) -> None:
        generator = batch_generator(batch.index, self.seed, HELD_OUT, self.device)
        metric: Mean = getattr(self, f"{stage}_nats")
        metric.update(self._nats(self.rates_of(batch), batch.labels, generator))
        self.log(f"{stage}/nats", metric, prog_bar=True, add_dataloader_idx=False)

    @torch.no_grad()
    def rates_of(self, batch: SpeechBatch) -> Tensor:
        """Firing rates of each word's code: its spikes depend on the seed and its place, and are drawn once."""
        assert self.audio is not None
        places = batch.index.tolist()
        if not all(place in self.rates for place in places):
            keys = sample_keys(self.seed, HELD_OUT, batch.index)
            encoding: dict[str, Any] = {"keys": keys, "max_rate": self.max_rate, "code": self.code}
            rates = self.audio(batch.spectrograms, self.num_steps, **encoding).hidden.mean(0)
            self.rates |= zip(places, rates, strict=True)
        return torch.stack([self.rates[place] for place in places])

    def _nats(self, rates: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """-log p of the masked tokens of an image of each word, as many as there are."""
        assert self.diffusion is not None
        self.diffusion.eval()
        denoiser = self.diffusion.denoiser
        tokens = self.diffusion.autoencoder.encode(self._images(labels, generator))
        share = torch.rand(len(tokens), device=self.device, generator=generator)
        seen = mask_tokens(tokens, share, denoiser.masked, generator)
        with kernels.precision("mixed"):
            logits = denoiser(seen, self.network(rates))
        return token_nats(logits, tokens)[seen == denoiser.masked]

    def _images(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """An image of each word, at random, ``[B, 1, side, side]`` in [0, 1]."""
        shares = torch.rand(len(labels), device=self.device, generator=generator)
        places = [
            self.images_of[label][int(share * len(self.images_of[label]))]
            for label, share in zip(labels.tolist(), shares.tolist(), strict=True)
        ]
        return as_pixels(self.data.image_set.images[torch.stack(places)]).to(self.device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save what the weights alone do not tell."""
        super().on_save_checkpoint(checkpoint)
        parts = {"audio": self.audio, "diffusion": self.diffusion}
        checkpoint |= {name: None if part is None else part.describe() for name, part in parts.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make the parts that the checkpoint's weights are for."""
        super().on_load_checkpoint(checkpoint)
        if self.audio is None and checkpoint.get("audio") is not None:
            self.adopt(AudioToImage.build(checkpoint["audio"]), SpikingVQDiffusion.build(checkpoint.get("diffusion")))


def _load_diffusion(source: str) -> SpikingVQDiffusion:
    if Path(source).is_file():
        return load_checkpoint(LitVQDiffusion, source).network.eval()
    return SpikingVQDiffusion.from_pretrained(source)

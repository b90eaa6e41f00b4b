"""Training an AC-SNN on the hidden spikes of an AE-SNN."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn
from torchmetrics import Metric

from snn_synth.codec import PackedSpikes, pack, repeat_map, unpack
from snn_synth.data import SpectrogramAugmentation, class_mean_images
from snn_synth.encoding import poisson_encode, sample_keys
from snn_synth.errors import InputError
from snn_synth.functional import best_of_class, gallery_mse, standardized_mse
from snn_synth.learning.layers import layers_of
from snn_synth.metrics import Mean, Temperature
from snn_synth.models import AESNN, Audiocoder, AudioToImage, SpikingAutoencoder
from snn_synth.models.stack import run_layers
from snn_synth.models.synthesis import TEMPERATURE, check_labels
from snn_synth.training.base import HELD_OUT
from snn_synth.training.cochlea import SpokenSpikes
from snn_synth.training.loaders import SpeechBatch
from snn_synth.training.pretraining import AutoencoderRecipe, check_recipe, load_autoencoder, pretrain_autoencoder
from snn_synth.training.spiking import LitSpiking
from snn_synth.training.words import PairedWords, data_of

VARIED = 1
"""Last part of an augmentation's keys, which those of spikes do not have."""
TESTS = "test", "heard"
"""Names under which the test loaders' measures are logged: unheard voices are the first's, if there are two."""


class LitAudiocoder(LitSpiking):
    """Trains a spiking audiocoder to fire the hidden spikes that an autoencoder's encoder fires for the paired image.

    Logs ``train/loss``; ``val/standardized_mse`` and ``test/standardized_mse``, of the drawn image against the nearest
    image of its digit among those paired (for dataset A there is one; for dataset B this is the paper's test metric);
    ``.../spike_mse``, the same against that image's input spikes; ``.../nearest_class``, the share of drawings whose
    nearest image is one of their digit. Where one speaker is left out, ``test/...`` is of that one's words and
    ``heard/...``, of a second test loader, of the other speakers'.

    Words that are spikes already (:class:`~snn_synth.training.SHDData`) are not encoded: the spikes of step t go in at
    step t.

    Keeps the labels' names and, of each, the paired image nearest the mean of those of its label, so that
    :meth:`audio_to_image` recognizes what was said; each validation fits its temperature.

    Args:
        network: the audiocoder.
        autoencoder: folder of a saved AE-SNN or checkpoint of a LitAutoencoder; null trains one first on the data's
            images and saves it under ``<run>/autoencoder``.
        autoencoder_epochs: of that training.
        hidden_steps: T_h, the time steps of the stored hidden spikes, shown again and again.
        num_steps: T.
        train_steps: T of the training, if it is to be another.
        direct: train on the spectrogram itself as a constant input of each time step (direct coding), whose first
            product is done once, instead of on Poisson spikes; what is measured and drawn has spikes all the same.
        augmentation: varies the spectrograms in training, by (seed, epoch, sample); none if not given.
        autoencoder_recipe: of that training, where there is one: ``learned`` (neurons that reset by subtraction, each
            with a learned leak and threshold), ``fixed`` (the same with a leak of 0.1 and a threshold of 1), or
            ``paper``, with the paper's neurons, rule and settings.
        **settings: of :class:`LitSpiking`: the rule, the optimizer, ...

    Source:
        Roy, Panda & Roy 2019, section 4.2.

    Example:
        >>> from snn_synth.models import ACSNN
        >>> module = LitAudiocoder(ACSNN(3900, 64, 196), hidden_steps=10)
        >>> module.hparams["network"]["init_args"]["hidden"]
        64
    """

    network: Audiocoder
    gallery: Tensor
    temperature: Tensor
    batch_kind: Any = SpeechBatch
    fixed: ClassVar[set[str]] = {"network", "rule", "autoencoder", "autoencoder_epochs", "autoencoder_recipe"}
    of_encoding: ClassVar[dict[str, Any]] = {**LitSpiking.of_encoding, "direct": False, "augmentation": None}

    def __init__(
        self,
        network: Audiocoder,
        autoencoder: str | None = None,
        autoencoder_epochs: int = 1,
        hidden_steps: int = 15,
        num_steps: int = 30,
        train_steps: int | None = None,
        direct: bool = False,
        augmentation: SpectrogramAugmentation | None = None,
        autoencoder_recipe: AutoencoderRecipe = "learned",
        **settings: Any,
    ) -> None:
        """Keep the network and the settings; the autoencoder comes with ``fit`` or a checkpoint."""
        for name, steps in (("hidden_steps", hidden_steps), ("train_steps", train_steps)):
            if steps is not None and steps < 1:
                raise InputError(f"Expected `{name}` to be at least 1, got {steps}")
        check_recipe(autoencoder_recipe)
        super().__init__(num_steps=num_steps, **settings)
        self.network = network
        self.autoencoder: SpikingAutoencoder | None = None
        self.autoencoder_source = autoencoder
        self.autoencoder_epochs, self.autoencoder_recipe = autoencoder_epochs, autoencoder_recipe
        self.hidden_steps, self.train_steps = hidden_steps, train_steps or num_steps
        self.direct, self.augmentation = direct, augmentation
        self.front_end: dict[str, Any] | None = None
        """Configuration of the data's front end, which a WAV file must go through too."""
        self.labels: tuple[str, ...] | None = None
        """Names of the labels, from the data or a checkpoint; none in those of before there were any."""
        self.calibration = Temperature()
        for stage in ("val", *TESTS):
            for name in ("standardized_mse", "spike_mse", "nearest_class"):
                setattr(self, f"{stage}_{name}", Mean())

    @property
    def data(self) -> PairedWords:
        """The trainer's DataModule, which holds the images."""
        return data_of(self, "SpokenWordsData, SHDData or SSCData")

    def audio_to_image(self) -> AudioToImage:
        """The synthesis model: this audiocoder and the decoder of its autoencoder."""
        if self.autoencoder is None:
            raise InputError("Expected a trained LitAudiocoder with its autoencoder, got one before its first `fit`")
        model = AudioToImage(self.network, self.autoencoder, self.image_shape, self.front_end, self.labels)
        if self.labels is not None:
            model.gallery, model.temperature = self.gallery, self.temperature
        return model

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of an image."""
        return (1, 28, 28) if self.labels is None else tuple(self.gallery.shape[1:])

    def name_labels(self, names: Sequence[str], images: Tensor) -> None:
        """Keep the names of the labels and the image of each, ``[L, *image_shape]`` in [0, 1]."""
        check_labels(names)
        if len(images) != len(names):
            raise InputError(f"Expected an image for each of {len(names)} labels, got {len(images)}")
        if self.labels is None:
            self.temperature = nn.Buffer(torch.tensor(TEMPERATURE, device=self.device))
        self.labels, self.gallery = tuple(names), nn.Buffer(images.to(self.device))

    def setup(self, stage: str) -> None:
        """Check that the data fits the network, before anything is trained."""
        super().setup(stage)
        data = self.data
        self.batch_kind = data.batch_kind
        self.front_end = None if data.front_end is None else data.front_end.config()
        if self.network.inputs != data.inputs:
            of = "spikes" if data.front_end is None else f"spectrograms of shape {list(data.front_end.shape)}"
            raise InputError(f"Expected an audiocoder with {data.inputs} inputs for {of}, got {self.network.inputs}")
        if data.front_end is None and self.train_steps != self.num_steps:
            raise InputError(
                f"Expected no `train_steps` of their own where the data gives spikes, got {self.train_steps}"
            )

    def adopt(self, autoencoder: SpikingAutoencoder) -> None:
        """Use this autoencoder, as it is."""
        AudioToImage(self.network, autoencoder, self.image_shape, labels=self.labels)  # checks that they fit
        # Its layers know no modes, but Lightning warns of any in evaluation mode.
        self.autoencoder = autoencoder.requires_grad_(False).train().to(self.device)

    def _find_autoencoder(self, data: PairedWords) -> SpikingAutoencoder:
        if self.autoencoder_source is not None:
            return load_autoencoder(self.autoencoder_source)
        if self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            return AESNN(data.gallery.shape[1:].numel(), self.network.code)  # untrained: nothing is written
        folder = Path(self.trainer.default_root_dir) / "autoencoder"
        rank_zero_info(f"No autoencoder given: training one on {data.image_name} first, to be saved in {folder}")
        if self.trainer.is_global_zero:
            pretrain_autoencoder(
                data.image_set,
                folder,
                hidden=self.network.code,
                epochs=self.autoencoder_epochs,
                seed=self.seed,
                recipe=self.autoencoder_recipe,
            )
        self.trainer.strategy.barrier("autoencoder")
        return SpikingAutoencoder.from_pretrained(folder)

    def on_fit_start(self) -> None:
        """Get the autoencoder, unless a checkpoint brought it, and store the hidden spikes of each paired image."""
        data = self.data
        self.name_labels(
            data.names, data.gallery[class_mean_images(data.gallery, data.gallery_labels, len(data.names))]
        )
        if self.autoencoder is None:
            self.adopt(self._find_autoencoder(self.data))
        assert self.autoencoder is not None
        self.network.train()  # one that was loaded is in evaluation mode, where batch norm learns nothing
        maps = encode_gallery(self.autoencoder, self.data.gallery, self.hidden_steps, self.seed)
        self.hidden_maps = maps._replace(data=maps.data.to(self.device))

    def training_step(self, batch: SpeechBatch | SpokenSpikes, batch_idx: int) -> Tensor:
        """One batch by the rule."""
        shown = self._shown(batch)
        maps = self.hidden_maps._replace(data=self.hidden_maps.data[batch.image])
        return self.learn(shown, self._targets(unpack(maps, shown.dtype)))

    def _shown(self, batch: Any) -> Tensor:
        """What the network learns of: a batch's own spikes, or those of its spectrograms, or these at each step."""
        spikes = self.own_spikes(batch)
        if spikes is not None:
            return spikes
        values = augmented(self.augmentation, batch, self.seed, self.current_epoch)
        if self.direct:
            return (self.max_rate * values.flatten(1)).expand(self.train_steps, -1, -1)
        return self.encode(values, batch.index, self.current_epoch, self.train_steps)

    def _heard(self, batch: Any) -> Tensor:
        """The spikes that are measured and drawn."""
        spikes = self.own_spikes(batch)
        return self.encode(batch.spectrograms, batch.index, HELD_OUT) if spikes is None else spikes

    def _targets(self, maps: Tensor) -> Tensor:
        """Target spikes of the training's steps; for the loss of rates, the whole map's rates at each of them."""
        if self.loss == "rate":  # fewer steps than the map has would show its start alone
            return maps.mean(0).expand(self.train_steps, -1, -1)
        return repeat_map(maps, self.train_steps)

    def validation_step(self, batch: SpeechBatch | SpokenSpikes, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand spikes and images to the callbacks."""
        outputs = self._measure("val", batch)
        if self.labels is not None:
            self.calibration.update(gallery_mse(outputs["images"], self.gallery), batch.labels)
        return outputs

    def on_validation_epoch_end(self) -> None:
        """Fit the temperature of recognition, in training alone."""
        in_training = self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking
        if in_training and self.calibration.update_called:
            self.temperature.copy_(self.calibration.compute())
        self.calibration.reset()

    def test_step(self, batch: SpeechBatch | SpokenSpikes, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Measure, and hand spikes and images to the callbacks."""
        return self._measure(TESTS[dataloader_idx], batch)

    def predict_step(self, batch: SpeechBatch | SpokenSpikes, batch_idx: int = 0) -> Tensor:
        """Drawn images, ``[B, 1, 28, 28]`` in [0, 1]."""
        return self.audio_to_image().draw(self._heard(batch)).images

    def _measure(self, stage: str, batch: SpeechBatch | SpokenSpikes) -> dict[str, Any]:
        data, autoencoder = self.data, self.autoencoder
        assert autoencoder is not None
        spikes = self._heard(batch)
        out = self.network(spikes)
        layers = layers_of(autoencoder)[autoencoder.depth :]
        *decoder, drawn = run_layers(layers, out.spikes, autoencoder.code).layer_spikes
        gallery, labels = data.gallery.to(drawn.device), data.gallery_labels.to(drawn.device)
        errors = gallery_mse(drawn.sum(0), gallery.flatten(1))
        error, best = best_of_class(errors, batch.labels, labels)
        nearest = (labels[errors.argmin(1)] == batch.labels).float()
        keys = sample_keys(self.seed, best)
        shown = poisson_encode(gallery.flatten(1)[best], self.num_steps, keys=keys).sum(0)
        spike_mse = standardized_mse(drawn.sum(0), shown)
        for name, value in (("standardized_mse", error), ("spike_mse", spike_mse), ("nearest_class", nearest)):
            metric: Metric = getattr(self, f"{stage}_{name}")
            metric.update(value)
            self.log(f"{stage}/{name}", metric, prog_bar=name != "spike_mse", add_dataloader_idx=False)
        return {
            "spikes": {
                "input": spikes,
                **_named("hidden", out.hidden_spikes),
                "code": out.spikes,
                **_named("decoder", decoder),
                "output": drawn,
            },
            "fan_out": [operator.fan_out for operator, _ in layers_of(self.network) + layers],
            "images": drawn.mean(0).reshape(-1, *gallery.shape[1:]),
            "targets": gallery[best],
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save what the weights alone do not tell."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["front_end"] = self.front_end
        checkpoint["autoencoder"] = None if self.autoencoder is None else self.autoencoder.describe()
        checkpoint["labels"] = None if self.labels is None else list(self.labels)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make the autoencoder that the checkpoint's weights are for."""
        super().on_load_checkpoint(checkpoint)
        self.front_end = checkpoint.get("front_end")
        if checkpoint.get("labels") is not None:
            self.name_labels(checkpoint["labels"], checkpoint["state_dict"].get("gallery", torch.empty(0)))
        if self.autoencoder is None and checkpoint.get("autoencoder") is not None:
            self.adopt(SpikingAutoencoder.build(checkpoint["autoencoder"]))


def augmented(augmentation: SpectrogramAugmentation | None, batch: SpeechBatch, seed: int, epoch: int) -> Tensor:
    """The spectrograms of a batch, varied by keys that are not those of its spikes."""
    if augmentation is None:
        return batch.spectrograms
    return augmentation(batch.spectrograms, sample_keys(seed, epoch, batch.index, VARIED))


def _named(name: str, layers: Sequence[Tensor]) -> dict[str, Tensor]:
    """Layers by their names: ``hidden``, or ``hidden1``, ``hidden2``, ... where there are several."""
    return {f"{name}{number if len(layers) > 1 else ''}": spikes for number, spikes in enumerate(layers, start=1)}


def encode_gallery(autoencoder: SpikingAutoencoder, images: Tensor, num_steps: int, seed: int) -> PackedSpikes:
    """Hidden spikes of images: each image is Poisson-encoded once, by (seed, its place)."""
    device = next(autoencoder.parameters()).device
    maps = []
    with torch.no_grad():
        for places in torch.arange(len(images)).split(500):  # type: ignore[no-untyped-call]
            keys = sample_keys(seed, places)
            spikes = poisson_encode(images[places].flatten(1), num_steps, keys=keys)
            maps.append(autoencoder.encode(spikes.to(device)).cpu())
    return pack(torch.cat(maps, 1))

"""One training run in a process of its own, which may kill itself at an exact point. See test_resume.py."""

import functools
import io
import os
import signal
from pathlib import Path

import torch
from lightning.pytorch import Callback, Trainer

from snn_synth.data import MelSpectrogram, MNISTSubset, SpectrogramAugmentation
from snn_synth.kernels import OnlineRule
from snn_synth.models import (
    ACANN,
    ACSNN,
    AEANN,
    AESNN,
    ESVAE,
    AudioToImage,
    CodeCondition,
    ConvACSNN,
    FirstSpikeClassifier,
    HybridPredictor,
    HybridVAE,
    ImageClassifier,
    SpikingGAN,
    SpikingTokenDenoiser,
    SpikingVQAE,
    SpikingVQDiffusion,
    TemporalCodingAE,
)
from snn_synth.training import (
    AtomicCheckpointIO,
    DriftingBlobsData,
    LitAudiocoder,
    LitAudiocoderANN,
    LitAutoencoder,
    LitAutoencoderANN,
    LitESVAE,
    LitFirstSpikeClassifier,
    LitHybridPredictor,
    LitHybridVAE,
    LitImageClassifier,
    LitSpikingGAN,
    LitSpokenDiffusion,
    LitTemporalCodingAE,
    LitVQDiffusion,
    MNISTSubsetData,
    ResumeCheckpoint,
    SpokenDigitsData,
)
from snn_synth.training.loaders import ResumableLoader

EPOCHS = 3
RULES = ["bptt", "online"]
AUDIOCODERS = ["fully connected", "convolutional, batch norm, augmentation"]
GENERATORS = ["temporal", "hybrid", "predictor", "gan", "esvae", "diffusion", "ANN", "classifier", "first spike"]

MNISTSubset()  # read once, by the server that forks these processes


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class FewImages(MNISTSubsetData):
    """95 images in batches of 10: the last batch is ragged."""

    def setup(self, stage):
        super().setup(stage)
        self.train_index, self.validation_index = self.train_index[:95], self.validation_index[:25]

    def train_dataloader(self):
        batches = super().train_dataloader().dataset
        return ResumableLoader(batches, self.batch_size, shuffle=True, seed=self.seed)


class Diary(Callback):
    """Writes down, for good, the loss of every batch and what each validation found."""

    def __init__(self, file):
        self.file = file

    def _write(self, *words):
        with self.file.open("a") as file:
            print(*words, file=file)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        loss, order = trainer.callback_metrics["train/loss"].item(), batch.index.tolist()
        self._write("train", trainer.current_epoch, batch_idx, loss.hex(), order)

    def on_validation_epoch_end(self, trainer, pl_module):
        after = trainer.fit_loop.epoch_loop.batch_progress.current.processed
        metrics = ("standardized_mse", "pixel_mse", "accuracy", "fooled", "loss", "nats")
        metric = next(name for name in metrics if hasattr(pl_module, f"val_{name}"))
        found = getattr(pl_module, f"val_{metric}").compute()
        self._write("validation", trainer.current_epoch, after, found.item().hex())


class DieInStep(Callback):
    """Dies after some backward passes of a batch."""

    def __init__(self, epoch, batch, passes):
        self.place, self.passes = (epoch, batch), passes

    def on_after_backward(self, trainer, pl_module):
        if (trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_idx) == self.place:
            self.count()

    def count(self, *_):
        self.passes -= 1
        if not self.passes:
            die()


class DieInTimeStep(Callback):
    """Dies in a time step of a batch under the online rule, with the weights of half a batch.

    Steps are counted where the rule looks for NaN: a hook that waits for gradients would change how it runs.
    """

    def __init__(self, epoch, batch, steps):
        self.place, self.counter = (epoch, batch), DieInStep(epoch, batch, steps)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == self.place:
            OnlineRule.finite = self.counter.count


class DieInValidation(Callback):
    """Dies in the validation that comes after so many batches of an epoch."""

    def __init__(self, epoch, batches):
        self.place = (epoch, batches)

    def on_validation_batch_end(self, trainer, *_):
        if (trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_progress.current.processed) == self.place:
            die()


class DieBetweenEpochs(Callback):
    """Dies when all of an epoch is done and saved, before the first batch of the next."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == self.epoch + 1:
            die()


def die_in_save(number):
    """Let the save of this number (from 1) put half of its bytes on the disk, and die."""
    whole_save = torch.save

    def save(thing, file):
        nonlocal number
        number -= 1
        if number:
            return whole_save(thing, file)
        buffer = io.BytesIO()
        whole_save(thing, buffer)
        file.write(buffer.getvalue()[: len(buffer.getvalue()) // 2])
        file.flush()
        os.fsync(file.fileno())
        return die()

    torch.save = save


def autoencoder_job(rule):
    torch.manual_seed(1)
    one_cycle = functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.01)
    module = LitAutoencoder(
        AESNN(784, 16),
        rule=rule,
        num_steps=5,
        optimizer=functools.partial(torch.optim.AdamW, lr=0.002),
        lr_scheduler=one_cycle if rule == "bptt" else None,
    )
    return module, FewImages(batch_size=10)


def audiocoder_network(kind="fully connected"):
    torch.manual_seed(1)
    return ACSNN(80, 12, 16) if kind == "fully connected" else ConvACSNN(8, 10, [3, 4], 16)


def speech_data(root, batch_size):
    front_end = MelSpectrogram(channels=8, frames=10)
    return SpokenDigitsData(
        images="mnist_subset", pairing="B", front_end=front_end, split="random", batch_size=batch_size, root=root
    )


def audiocoder_job(root, autoencoder, kind="fully connected"):
    module = LitAudiocoder(
        audiocoder_network(kind),
        autoencoder=autoencoder,
        hidden_steps=3,
        num_steps=5,
        augmentation=None if kind == "fully connected" else SpectrogramAugmentation(),
        optimizer=functools.partial(torch.optim.AdamW, lr=0.002),
    )
    return module, speech_data(root, batch_size=20)


def audiocoder_ann_job(root):
    torch.manual_seed(1)
    data = speech_data(root, batch_size=20)
    data.prepare_data()
    data.setup("fit")
    adam = functools.partial(torch.optim.AdamW, lr=0.002)
    return LitAudiocoderANN(ACANN(80, 12, 16), AEANN(784, 16), data.gallery, optimizer=adam, num_steps=5), data


def spoken_job(root):
    """The condition between an audiocoder and a diffusion."""
    torch.manual_seed(1)
    audio = AudioToImage(audiocoder_network("fully connected"), AESNN(784, 16))
    network = SpikingVQDiffusion(SpikingVQAE(28, (3, 4), 3, 6), SpikingTokenDenoiser(6, 49, hidden=12))
    adam = functools.partial(torch.optim.Adam, lr=0.02)
    module = LitSpokenDiffusion(CodeCondition(16, 10), num_steps=5, optimizer=adam)
    module.adopt(audio, network)
    return module, speech_data(root, batch_size=20)


def generator_job(kind):
    """A generator, or another network of images, with Adam and a schedule: random numbers must be drawn again."""
    torch.manual_seed(1)
    schedule = functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.01)
    settings = {"optimizer": functools.partial(torch.optim.Adam, lr=0.002), "lr_scheduler": schedule}
    if kind == "predictor":
        module = LitHybridPredictor(HybridPredictor(4, 10, latent=3), **settings)
        return module, DriftingBlobsData(sequences=100, steps=8, neurons=4, batch_size=10)
    if kind == "temporal":
        module = LitTemporalCodingAE(TemporalCodingAE(784, 6), noise=0.2, **settings)
    elif kind == "hybrid":
        module = LitHybridVAE(HybridVAE(hidden=12, latent=6, num_steps=5), **settings)
    elif kind == "gan":
        module = LitSpikingGAN(SpikingGAN(side=7, latent=5, hidden=12, num_steps=16, smoothing=16.0), **settings)
    elif kind == "ANN":
        module = LitAutoencoderANN(AEANN(784, 16), num_steps=5, **settings)
    elif kind == "classifier":
        module = LitImageClassifier(ImageClassifier(features=8), **settings)
    elif kind == "first spike":
        module = LitFirstSpikeClassifier(FirstSpikeClassifier(hidden=12, num_steps=16), **settings)
    elif kind == "diffusion":
        network = SpikingVQDiffusion(SpikingVQAE(28, (3, 4), 3, 6), SpikingTokenDenoiser(6, 49, hidden=12))
        module = LitVQDiffusion(network, autoencoder_epochs=1, **settings)
    else:
        module = LitESVAE(ESVAE(channels=(3, 4), latent=5, num_steps=3), **settings)
    return module, FewImages(batch_size=10)


JOBS = {
    "autoencoder": autoencoder_job,
    "audiocoder": audiocoder_job,
    "audiocoder ANN": audiocoder_ann_job,
    "spoken": spoken_job,
    "generator": generator_job,
}


def jobs(root, autoencoder):
    """A job of every kind, by name: what a run may be, for tests of all of them."""
    return {
        **{f"autoencoder, {rule}": ("autoencoder", rule) for rule in RULES},
        **{f"audiocoder, {kind}": ("audiocoder", root, autoencoder, kind) for kind in AUDIOCODERS},
        "audiocoder, ANN": ("audiocoder ANN", root),
        "spoken words to new images": ("spoken", root),
        **{kind: ("generator", kind) for kind in GENERATORS},
    }


def run(job, folder, death=None, resume=False):
    """Train, test, and leave ``result.pt``; or die on the way.

    Args:
        job: a key of JOBS and what its function takes.
        folder: of the run.
        death: ("step", epoch, batch, backward passes), ("save", number), ("validation", epoch, batches), ("epoch",
            epoch) or None.
        resume: go on from the folder's resume.ckpt.
    """
    torch.set_num_threads(1)
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    module, data = JOBS[job[0]](*job[1:])
    callbacks = [Diary(folder / "diary.txt"), ResumeCheckpoint(every_n_batches=2)]
    if death:
        kind, *place = death
        if kind == "save":
            die_in_save(*place)
        else:
            in_step = DieInTimeStep if getattr(module, "rule", None) == "online" else DieInStep
            kinds = {"step": in_step, "validation": DieInValidation, "epoch": DieBetweenEpochs}
            callbacks.append(kinds[kind](*place))
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        val_check_interval=4,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        default_root_dir=folder,
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, data, ckpt_path=folder / "resume.ckpt" if resume else None)
    metrics = (
        None if job[0] == "audiocoder ANN" else trainer.test(module, data, verbose=False)
    )  # it has no test of its own
    result = {
        "weights": module.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in trainer.optimizers],
        "scheduler": [scheduler.scheduler.state_dict() for scheduler in trainer.lr_scheduler_configs],
        "metrics": metrics,
    }
    with (folder / "result.pt").open("wb") as file:
        torch.save(result, file)

"""One of the processes of a distributed training run. See test_ddp.py."""

import functools
import os

import torch
from lightning.pytorch.strategies import DDPStrategy

from snn_synth.models import SpikingGAN, TemporalCodingAE
from snn_synth.training import (
    LitAudiocoder,
    LitAutoencoder,
    LitSpikingGAN,
    LitTemporalCodingAE,
    ResumeCheckpoint,
    SpikeStatistics,
)
from tests.training.resume_child import DieInStep, audiocoder_network, speech_data
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer

STEPS = 6
OPTIMIZERS = {
    "adamw": functools.partial(torch.optim.AdamW, lr=0.01),
    "sgd": functools.partial(torch.optim.SGD, lr=0.03),  # unlike AdamW, sees a sum where there should be a mean
}


def join(rank, ranks, port):
    """Tell Lightning that it is one of several processes that somebody else has started."""
    torch.set_num_threads(1)
    os.environ.update(
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        LOCAL_RANK=str(rank),
        NODE_RANK="0",
        GLOO_SOCKET_IFNAME="lo",
    )


def trainer_of(folder, ranks, *callbacks, unused=False, **settings):
    ddp = DDPStrategy(process_group_backend="gloo", find_unused_parameters=unused)
    return quiet_trainer(
        folder,
        devices=ranks,
        strategy=ddp if ranks > 1 else "auto",
        callbacks=[ResumeCheckpoint(every_n_batches=2), *callbacks],
        **settings,
    )


def keep(trainer, module, folder, rank):
    metrics = {name: value.double() for name, value in trainer.callback_metrics.items()}
    torch.save({"weights": module.state_dict(), "metrics": metrics}, folder / f"{rank}-of-{trainer.world_size}.pt")


def autoencoder(folder, rule, rank, ranks, port, batch_size):
    """Two epochs of 46 images in float64: batches of 20, 20 and 6, the ranks together."""
    join(rank, ranks, port)
    module = LitAutoencoder(
        firing_autoencoder(12, 7),
        rule=rule,
        num_steps=4,
        optimizer=OPTIMIZERS["adamw"],
    ).double()
    data = TinyImages(batch_size, dtype=torch.float64, train=46, test=24)
    trainer = trainer_of(folder, ranks, SpikeStatistics(), max_epochs=2)
    trainer.fit(module, data)
    keep(trainer, module, folder, rank)


def samples(batch_size, dtype=torch.float64):
    """Twenty batches of 20, the ranks together, in a shuffled order."""
    return TinyImages(batch_size, dtype=dtype, train=400, test=0)


def stored_spikes():
    """Spikes ``[T, 400, 12]`` of the samples: given, not encoded."""
    uniform = torch.rand(STEPS, 400, 12, generator=torch.Generator().manual_seed(11), dtype=torch.float64)
    return (uniform < 0.3).double()


class StoredAutoencoder(LitAutoencoder):
    """Learns the spikes that are stored for a sample."""

    def on_fit_start(self):
        self.stored = stored_spikes()

    def encode(self, values, index, epoch):
        return self.stored[:, index].to(values.dtype)


def stored(folder, settings, rank, ranks, port, batch_size, dtype=torch.float64, dies_at=None, resume=False):
    """One epoch on stored spikes, by (rule, optimizer); the last rank may die in the middle of a batch."""
    join(rank, ranks, port)
    rule, optimizer = settings[0], OPTIMIZERS[settings[1]]
    module = StoredAutoencoder(firing_autoencoder(12, 7), rule=rule, num_steps=STEPS, optimizer=optimizer).to(dtype)
    death = [DieInStep(0, dies_at, 1 if rule == "bptt" else 3)] if dies_at and rank == ranks - 1 else []
    trainer = trainer_of(folder, ranks, *death, max_epochs=1, limit_val_batches=0)
    trainer.fit(module, samples(batch_size, dtype), ckpt_path=folder / "resume.ckpt" if resume else None)
    keep(trainer, module, folder, rank)


def audiocoder(folder, root, rank, ranks, port, batch_size):
    """An audiocoder without an autoencoder: one is trained first."""
    join(rank, ranks, port)
    module = LitAudiocoder(
        audiocoder_network(),
        hidden_steps=3,
        num_steps=4,
        rule="online",
        optimizer=functools.partial(torch.optim.SGD, lr=0.01),
    )
    trainer = trainer_of(folder, ranks, max_epochs=1, limit_val_batches=0, limit_train_batches=2)
    trainer.fit(module, speech_data(root, batch_size))
    keep(trainer, module, folder, rank)


def generator(folder, what, rank, ranks, port, batch_size):
    """One epoch on 60 images of a (kind, whether an update may leave weights out)."""
    join(rank, ranks, port)
    kind, unused = what
    torch.manual_seed(0)
    sgd = functools.partial(torch.optim.SGD, lr=0.01)
    if kind == "gan":
        module = LitSpikingGAN(SpikingGAN(3, 4, 8, 10, num_steps=16, smoothing=16.0), optimizer=sgd)
    else:
        module = LitTemporalCodingAE(TemporalCodingAE(12, 5), optimizer=sgd)
    trainer = trainer_of(folder, ranks, unused=unused, max_epochs=1, limit_val_batches=0)
    trainer.fit(module.double(), TinyImages(batch_size, torch.float64, train=60))
    keep(trainer, module, folder, rank)

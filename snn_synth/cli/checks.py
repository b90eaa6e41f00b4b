"""What is wrong with a command of the Trainer is said before anything is made, or anything is trained."""

import os
from pathlib import Path

from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from torch.utils.data import DataLoader

from snn_synth.errors import InputError
from snn_synth.processes import is_first
from snn_synth.training import ImageData
from snn_synth.training.base import LitModule
from snn_synth.training.reading import read_checkpoint

PROCESSES_PER_CORE = 4  # of one run: more of them would only wait for each other, and fill the memory


def check_checkpoint(path: str, class_path: str) -> None:
    """Raise InputError unless a file is a checkpoint of a class."""
    if not Path(path).is_file():
        kept = Path(path).with_name("resume.ckpt")
        cure = f"give --ckpt_path {kept}" if kept.is_file() else "give --ckpt_path, or `fit` first"
        raise InputError(f"Expected a checkpoint, got no file at {path}: {cure}")
    expected = class_path.rsplit(".", 1)[-1]
    found = read_checkpoint(path)["hyper_parameters"].get("_class_path", expected).rsplit(".", 1)[-1]
    if found != expected:
        raise InputError(f"Expected a checkpoint of {expected}, got {path}: it is of a {found}")


def check_data(model: LightningModule, data: LightningDataModule) -> None:
    """Raise InputError for images that are not what the network takes, before loggers have begun a run of their own."""
    if isinstance(model, LitModule) and isinstance(data, ImageData) and is_first():  # others see it in their `setup`
        data.prepare_data()
        data.setup("fit")
        model.check_data(data)


def check_test(trainer: Trainer, data: LightningDataModule) -> None:
    """Raise InputError for a share of the test set that is no batch: Lightning would say so after the training."""
    share = trainer.limit_test_batches
    if isinstance(share, float) and 0 < share < 1:
        data.prepare_data()
        data.setup("test")
        loaders = data.test_dataloader()
        for loader in loaders if isinstance(loaders, list) else [loaders]:
            if not isinstance(loader, DataLoader) or int(share * len(loader)) > 0:
                continue
            raise InputError(f"Expected `limit_test_batches` of at least one of {len(loader)} batches, got {share}")


def check_machines(trainer: Trainer) -> None:
    """Raise InputError if several machines do not know where to meet, or processes are more than a machine can take."""
    most = PROCESSES_PER_CORE * (os.cpu_count() or 1)
    if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > most:
        raise InputError(
            f"Expected at most {most} processes on this machine's cores, got devices={trainer.num_devices}"
        )
    start = getattr(trainer.strategy, "_start_method", "popen")
    if start != "popen":  # this process would not know that there is something to keep
        raise InputError(f"Expected `strategy` ddp, got one that starts its processes by {start}, as for a notebook")
    environment = getattr(trainer.strategy, "cluster_environment", None)
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if name not in os.environ]
    if trainer.num_nodes > 1 and isinstance(environment, LightningEnvironment) and missing:
        raise InputError(
            f"Expected {', '.join(missing)} in the environment of each of the {trainer.num_nodes} machines, or a start "
            "by torchrun or srun, got neither"
        )

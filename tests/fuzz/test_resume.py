"""Checkpoints with damaged states, from which `fit --ckpt_path` goes on: it trains, or ends in one sentence."""

import copy
import random
import re
import warnings
from functools import partial

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.cli import ReduceLROnPlateau
from torch.optim import lr_scheduler

from snn_synth.cli.errors import sentence
from snn_synth.models import AESNN
from snn_synth.training import AtomicCheckpointIO, LitAutoencoder, ResumeCheckpoint
from tests.fuzz.harness import FILES, SEED, bounded
from tests.fuzz.test_checkpoints import VALUES
from tests.training.tiny import TinyImages, quiet_trainer

PARTS = ["optimizer_states", "lr_schedulers", "loops", "callbacks"]
SCHEDULERS = {
    "one cycle": partial(lr_scheduler.OneCycleLR, max_lr=0.01, total_steps=20),
    "plateau": partial(ReduceLROnPlateau, monitor="val/standardized_mse"),
    "milestones": partial(lr_scheduler.MultiStepLR, milestones=[2, 3]),
}


def fit(folder, name, epochs, path=None):
    callbacks = [
        ModelCheckpoint(folder, filename="best", monitor="val/standardized_mse"),
        EarlyStopping("val/standardized_mse", patience=9),
        ResumeCheckpoint(),
    ]
    settings = {"callbacks": callbacks, "plugins": [AtomicCheckpointIO()], "max_epochs": epochs}
    module = LitAutoencoder(AESNN(12, 3), num_steps=2, lr_scheduler=SCHEDULERS[name])
    quiet_trainer(folder, **settings).fit(module, TinyImages(train=20, test=10), ckpt_path=path)


def damage(content, random_):
    """A copy in which one value of a part is another one, is missing or has another name, at any depth; or two are."""
    content = copy.deepcopy(content)
    for _ in range(random_.choice([1, 1, 2])):
        holder, key = content, random_.choice(PARTS)
        while isinstance(inside := holder[key], dict | list) and inside and random_.random() < 0.9:
            holder, key = inside, random_.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        change = random_.randrange(6)
        if change == 0:
            del holder[key]
        elif change == 1 and isinstance(holder, dict):
            holder[random_.choice(["x", 7, None, "state", "lr", "step", "step_count", "load_state_dict"])] = holder.pop(
                key
            )
        elif change == 2 and isinstance(inside, torch.Tensor):
            holder[key] = random_.choice([inside.reshape(-1)[:1], inside.double(), inside * float("nan"), inside.int()])
        elif change == 3 and isinstance(inside, int | float):
            holder[key] = random_.choice([-inside, inside + 1, inside + 10**6, float(inside), str(inside)])
        else:
            holder[key] = random_.choice(VALUES)
        content |= {part: None for part in PARTS if part not in content}
    return content


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_run_that_goes_on_from_damaged_states(scheduler, tmp_path):
    path, random_ = tmp_path / "damaged" / "other.ckpt", random.Random(SEED)
    path.parent.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(tmp_path / "run", scheduler, 1)
        content = torch.load(tmp_path / "run" / "resume.ckpt", weights_only=True)
        counts = {"trained": 0, "refused": 0}
        for index in range(FILES // 40):
            torch.save(damage(content, random_), path)
            try:
                with bounded():
                    fit(path.parent, scheduler, 2, path)
                counts["trained"] += 1
            except Exception as error:
                said = sentence(error)
                if said is None or "\n" in said:
                    raise AssertionError(f"file {index} of seed {SEED}: {type(error).__name__}: {error}") from error
                counts["refused"] += 1
    print(counts)


STOPPING = "EarlyStopping{'monitor': 'val/standardized_mse', 'mode': 'min'}"
PROGRESS = ("loops", "fit_loop", "epoch_progress", "current", "processed")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("callbacks", STOPPING, "wait_count"), (), "state of EarlyStopping.*got 'wait_count'"),
        (("callbacks", STOPPING, "patience"), [9], "state of EarlyStopping.*got 'patience'"),
        (("callbacks", STOPPING, "best_score"), 0.5, "state of EarlyStopping.*got 'best_score'"),
        (PROGRESS, {}, "counts of steps and epochs"),
        (PROGRESS, -1, "counts of steps and epochs"),
        (("optimizer_states", 0, "param_groups", 0, "betas"), b"x", "settings of optimizer"),
        (("optimizer_states", 0, "state", 0, "exp_avg"), torch.zeros(3), "settings of optimizer"),
    ],
)
def test_a_state_that_is_none_is_refused(place, value, said, tmp_path):
    fit(tmp_path / "run", "milestones", 1)
    holder = content = torch.load(tmp_path / "run" / "resume.ckpt", weights_only=True)
    for key in place[:-1]:
        holder = holder[key]
    assert place[-1] in holder
    holder[place[-1]] = value
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(Exception, match=r".") as caught:
        fit(tmp_path, "milestones", 2, tmp_path / "other.ckpt")
    assert re.search(f"Expected .*{said}", sentence(caught.value))

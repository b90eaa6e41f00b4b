"""How a network is trained: the paper's settings, and better ones for the same network and the same epochs."""

import functools
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch

from snn_synth.errors import InputError
from snn_synth.kernels import Traces
from snn_synth.training.spiking import Loss, Rule

LATER = {"later": True}
"""Metadata of a setting that came when there were results already: at its default, it is not in a run's name."""


class SummingAdamW(torch.optim.AdamW):
    """AdamW that makes one step of every ``sum_of``, by the sum of the gradients until then.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(1))
        >>> optimizer = SummingAdamW([weight], sum_of=2, lr=0.1, weight_decay=0.0)
        >>> for _ in range(4):
        ...     optimizer.zero_grad()
        ...     weight.sum().backward()
        ...     optimizer.step()
        >>> weight.item()  # two steps of 0.1
        0.8...
    """

    def __init__(self, params: Any, sum_of: int, **settings: Any) -> None:
        """AdamW's settings, and of how many gradients it is to make a step."""
        super().__init__(params, **settings)
        self.sum_of, self.count = sum_of, 0

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Nothing: gradients are summed until a step has used them."""

    def step(self, closure: Any = None) -> Any:
        """Count, and after the last of ``sum_of`` make the step."""
        loss = closure() if closure else None
        self.count += 1
        if self.count % self.sum_of == 0:
            super().step()
            super().zero_grad()
        return loss


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run that do not belong to the network.

    Args:
        lr: learning rate; with ``one_cycle``, its highest.
        optimizer: ``adam`` with decoupled weight decay, ``adam_l2`` with that added to the gradient, or ``sgd``.
        weight_decay: of the optimizer.
        one_cycle: rise to ``lr`` and fall again over the run.
        rule: of a spiking network; ``online`` is the paper's.
        loss: of a spiking network; ``membrane`` is the paper's.
        epochs: over the training set.
        batch_size: samples of a batch.
        warmup: share of the run in which ``one_cycle`` rises.
        neuron_share: learning rate of leaks and thresholds that are learned, as a share of ``lr``.
        traces: of the rule ``online``.
        fresh_moments: of the rule ``online``: forget the optimizer's state at each batch.
        beta2: share of Adam's second moment that is kept in an update.
        sum_of: of how many gradients ``adam`` makes an update.

    Raises:
        InputError: if another optimizer is to sum gradients.

    Example:
        >>> made = Recipe(lr=0.1, optimizer="sgd").factories()["optimizer"]([torch.nn.Parameter(torch.ones(2))])
        >>> type(made).__name__, made.defaults["weight_decay"]
        ('SGD', 0.0001)
    """

    lr: float
    optimizer: Literal["adam", "adam_l2", "sgd"] = "adam"
    weight_decay: float = 1e-4
    one_cycle: bool = False
    rule: Rule = "bptt"
    loss: Loss = "membrane"
    epochs: int = 1
    batch_size: int = 100
    warmup: float = field(default=0.3, metadata=LATER)
    neuron_share: float = field(default=1.0, metadata=LATER)
    traces: Traces = field(default="reset", metadata=LATER)
    fresh_moments: bool = field(default=True, metadata=LATER)
    beta2: float = field(default=0.999, metadata=LATER)
    sum_of: int = field(default=1, metadata=LATER)

    def __post_init__(self) -> None:
        if self.sum_of > 1 and self.optimizer != "adam":
            raise InputError(f"Expected the optimizer `adam`, which can sum gradients, got {self.optimizer}")

    def factories(self) -> dict[str, Any]:
        """``optimizer`` and ``lr_scheduler`` as a LightningModule takes them."""
        cls: Any = {"adam": torch.optim.AdamW, "adam_l2": torch.optim.Adam, "sgd": torch.optim.SGD}[self.optimizer]
        if self.sum_of > 1:
            cls = functools.partial(SummingAdamW, sum_of=self.sum_of)
        betas = {} if self.optimizer == "sgd" else {"betas": (0.9, self.beta2)}
        cycle = functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=self.lr, pct_start=self.warmup)
        return {
            "optimizer": functools.partial(cls, lr=self.lr, weight_decay=self.weight_decay, fused=True, **betas),
            "lr_scheduler": cycle if self.one_cycle else None,
        }


# Section 4.1. An update at every time step, Adam's moments fresh for each batch.
PAPER_SNN = Recipe(lr=5e-4, rule="online")
PAPER_SGD = {"mnist": Recipe(lr=0.1, optimizer="sgd"), "fashion_mnist": Recipe(lr=5e-3, optimizer="sgd")}
# For MNIST the paper says 0.1 with Adam too, from which this network diverges.
PAPER_ADAM = {"mnist": Recipe(lr=1e-3), "fashion_mnist": Recipe(lr=5e-3)}

# Section 4.2.
PAPER_SPEECH_SNN = Recipe(lr=5e-5, rule="online", epochs=20, batch_size=50)
PAPER_SPEECH_SGD = Recipe(lr=1e-4, optimizer="sgd", epochs=20, batch_size=50)
PAPER_SPEECH_ADAM = Recipe(lr=1e-4, epochs=20, batch_size=50)

# The best of `reproduce search-mnist`, `search-fashion`, `search-fashion-1024`, `search-speech` and `search-speech-b`,
# by images and hidden neurons; 5 is the smallest batch tried, of data set B 10. For MNIST's spiking network the larger
# of two batches that differ by 0.0003.
BEST_SNN = {
    ("mnist", 196): Recipe(lr=1.6e-3, batch_size=10, one_cycle=True, loss="rate", neuron_share=10),
    ("fashion_mnist", 512): Recipe(lr=1e-3, batch_size=5, one_cycle=True, loss="rate", neuron_share=3),
    ("fashion_mnist", 1024): Recipe(lr=5e-4, batch_size=5, one_cycle=True, loss="rate", neuron_share=3),
}
# Of networks whose neurons are the paper's: the best of an earlier search, and for clothes the recipe of the best.
ZERO_SNN = BEST_SNN | {("mnist", 196): Recipe(lr=3.2e-3, batch_size=10, one_cycle=True, loss="rate")}
ZERO_SPEECH_SNN = Recipe(lr=2e-3, one_cycle=True, epochs=20, batch_size=50, loss="rate")
BEST_SLOPE = 2.0  # of the spiking network's surrogate
BEST_ANN = {
    ("mnist", 196): Recipe(lr=1.6e-3, batch_size=5, one_cycle=True),
    ("fashion_mnist", 512): Recipe(lr=8e-4, batch_size=5, one_cycle=True),
    ("fashion_mnist", 1024): Recipe(lr=4e-4, batch_size=5, one_cycle=True),
}
BEST_SPIKES_ANN = BEST_ANN  # each has trials of its own, which ended at the same
BEST_SPEECH_SNN = Recipe(lr=2.5e-4, one_cycle=True, epochs=20, batch_size=10, loss="rate", neuron_share=3)
BEST_SPEECH_ANN = Recipe(lr=5e-4, one_cycle=True, epochs=20, batch_size=5)
BEST_SPEECH_SPIKES_ANN = Recipe(lr=2.5e-4, one_cycle=True, epochs=20, batch_size=5)
# Its leaks and thresholds are fixed; the ablation's that learn have the share that was best with batches of 50.
BEST_SPEECH_B_SNN = Recipe(lr=2.5e-4, one_cycle=True, epochs=20, batch_size=10, loss="rate", neuron_share=10)
BEST_SPEECH_B_ANN = Recipe(lr=5e-4, one_cycle=True, epochs=20, batch_size=10)
# Of the paper's size: fifteen times as many inputs, each weight moves less.
FULL_SIZE_SNN = replace(ZERO_SPEECH_SNN, lr=3e-4)

# Speech for speakers who were never heard: augmented, with batch norm, trained on the spectrogram as a constant input.
AUGMENTATION = 0.8
FC_AUGMENTATION = 0.4  # by three of the speakers left out: with 0.8 fully connected layers do worse than with none
TRAIN_STEPS = 8
EVERYBODY_EPOCHS = 40
ROBUST_CONV = Recipe(lr=8e-3, weight_decay=1e-2, one_cycle=True, warmup=0.15, epochs=30, batch_size=50, loss="rate")
ROBUST_FC = Recipe(lr=4e-3, weight_decay=0.1, one_cycle=True, warmup=0.15, epochs=40, batch_size=50, loss="rate")
ROBUST_ANN = Recipe(lr=1e-3, weight_decay=1e-2, one_cycle=True, warmup=0.15, epochs=40, batch_size=50)

# Of a classifier, where the paper says nothing.
CLASSIFIER = Recipe(lr=5e-3, one_cycle=True)
PROBE = Recipe(lr=1e-2, one_cycle=True, epochs=5)

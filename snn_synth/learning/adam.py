"""Adam of ``torch.optim`` in numbers, for an update that is made together with its gradient."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.together import start

_PLAIN = torch.optim.Adam, torch.optim.AdamW
_EPS = 1e-10  # with less, gradients that the kernel takes for 0 would move a weight


class Moments:
    """What an optimizer keeps of one weight, and the numbers of its next step."""

    def __init__(self, weight: Tensor, group: dict[str, Any], state: dict[str, Any], decoupled: bool) -> None:
        self.weight, self.group, self.state = weight, group, state
        self.count = int(state["step"]) if state else 0
        """Steps so far."""
        self.mean: Tensor = state["exp_avg"] if state else self._empty()
        """Of the gradients, or memory for it before the first step; so is their mean square."""
        self.square: Tensor = state["exp_avg_sq"] if state else self._empty()
        self.decoupled = group.get("decoupled_weight_decay", decoupled)

    @functools.cached_property
    def arrays(self) -> tuple[Any, Any, Any]:
        """Weight, mean and mean square, for NumPy."""
        return self.weight.detach().numpy(), self.mean.numpy(), self.square.numpy()

    @functools.cached_property
    def _note(self) -> Callable[[int], object]:
        """Writes the number of steps: by NumPy, which does less around it, where that is on the CPU."""
        step: Tensor = self.state["step"]
        return step.numpy().fill if step.is_cpu else step.fill_

    def keep(self) -> None:
        """Note that a step was made: not before, for it may have been interrupted."""
        if self.count == 0:
            on_device = self.group["fused"] or self.group["capturable"]  # as PyTorch has it
            step = torch.zeros((), dtype=torch.float32, device=self.weight.device if on_device else "cpu")
            self.state.update(step=step, exp_avg=self.mean, exp_avg_sq=self.square)
        self.count += 1
        self._note(self.count)

    def _empty(self) -> Tensor:
        return empty(*self.weight.shape) if self.weight.is_cpu else torch.empty_like(self.weight)

    def rates(self) -> tuple[float, ...]:
        """What the next step keeps and takes of both, its size, scale of the root, eps, both kinds of weight decay."""
        (keep_mean, keep_square), lr, decay = self.group["betas"], self.group["lr"], self.group["weight_decay"]
        step_size = lr / (1 - keep_mean ** (self.count + 1))
        root = 1 / math.sqrt(1 - keep_square ** (self.count + 1))
        shrink, l2 = (1 - lr * decay, 0.0) if self.decoupled else (1.0, decay)
        new = 1 - keep_mean, 1 - keep_square  # here, in float64: float32 would lose what is left beside 0.9999
        return keep_mean, keep_square, *new, step_size, root, self.group["eps"], shrink, l2


def plain_moments(optimizer: Any, weights: Sequence[Tensor]) -> list[Moments] | None:
    """Of each weight; None for another optimizer than Adam as it comes, or where something looks at its gradients.

    Args:
        optimizer: of ``torch.optim``.
        weights: all of which learn.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(1, 1))
        >>> plain_moments(torch.optim.SGD([weight]), [weight]) is None
        True
        >>> plain_moments(torch.optim.Adam([weight]), [weight])[0].rates()[:2]
        (0.9, 0.999)
    """
    groups = {id(weight): group for group in getattr(optimizer, "param_groups", []) for weight in group["params"]}
    if (
        not _as_it_comes(optimizer)
        or not torch.is_grad_enabled()
        or torch.is_anomaly_enabled()
        or len(set(map(id, weights))) < len(weights)  # one weight in two layers has one step
        or not all(id(weight) in groups and _plain(weight, groups[id(weight)]) for weight in weights)
        or any(_counts_on_the_gpu(weight, groups[id(weight)], optimizer.state) for weight in weights)
    ):
        return None
    _note_step(optimizer)
    optimizer.zero_grad()
    decoupled = isinstance(optimizer, torch.optim.AdamW)
    moments = [Moments(weight, groups[id(weight)], optimizer.state[weight], decoupled) for weight in weights]
    kept = [x for m in moments for x in (m.mean, m.square)]
    return moments if all(x.is_contiguous() and x.dtype == torch.float32 for x in kept) else None


def fused_step(optimizer: Any, weights: Sequence[Tensor]) -> Callable[[Sequence[Tensor]], None] | None:
    """PyTorch's fused step of Adam by given gradients, without what ``optimizer.step()`` does around it.

    Args:
        optimizer: of ``torch.optim``.
        weights: on the CPU.

    Returns:
        A function of the gradients, to be called without autograd; inside a block of ``kernels.cpu.together`` the step
        is made when it ends. None for another optimizer, for the first step, for other weights, or where something
        waits for a step.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(1, 1))
        >>> fused_step(torch.optim.Adam([weight], fused=True), [weight]) is None  # which has made no step yet
        True
    """
    if not _as_it_comes(optimizer) or len(optimizer.param_groups) > 1:
        return None
    group, state = optimizer.param_groups[0], optimizer.state
    special = "amsgrad", "maximize", "differentiable", "capturable"
    numbers = group["lr"], *group["betas"]
    if (
        not group["fused"]
        or any(group[name] for name in special)
        or any(isinstance(number, Tensor) for number in numbers)
        or len(weights) != len(group["params"])
        or not all(a is b and state.get(a) for a, b in zip(weights, group["params"], strict=True))
        or getattr(optimizer, "grad_scale", None) is not None
        or getattr(optimizer, "found_inf", None) is not None
    ):
        return None
    decoupled = group.get("decoupled_weight_decay", isinstance(optimizer, torch.optim.AdamW))
    update: Callable[..., None] = torch._fused_adamw_ if decoupled else torch._fused_adam_

    def step(gradients: Sequence[Tensor]) -> None:
        _note_step(optimizer)
        states = [state[weight] for weight in weights]
        mean, square, count = ([one[name] for one in states] for name in ("exp_avg", "exp_avg_sq", "step"))
        start(torch._foreach_add_, count, 1)
        start(
            update,
            weights,
            gradients,
            mean,
            square,
            [],
            count,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )

    return step


def _as_it_comes(optimizer: Any) -> bool:
    """Whether it is Adam, and no hook waits for its steps."""
    if (
        type(optimizer) not in _PLAIN
        or optimizer._optimizer_step_pre_hooks
        or optimizer._optimizer_step_post_hooks
        or _global_optimizer_pre_hooks
        or _global_optimizer_post_hooks
    ):
        return False
    if "step" not in vars(optimizer):
        return True
    step = optimizer.step  # a scheduler's, which notes that it was called; what else may stand there has to run
    made_in = getattr(getattr(step, "__code__", None), "co_filename", None)
    return bool(made_in == torch.optim.lr_scheduler.__file__ and step.__wrapped__ is type(optimizer).step)


def _note_step(optimizer: Any) -> None:
    """For a scheduler, which looks whether there was a step before its own."""
    if "step" in vars(optimizer):
        optimizer._opt_called = True


def _counts_on_the_gpu(weight: Tensor, group: dict[str, Any], state: Any) -> bool:
    """Whether steps before this batch are counted where the host cannot read them while a CUDA graph is captured."""
    return group["capturable"] and (weight.is_cpu or bool(state.get(weight)))


def _plain(weight: Tensor, group: dict[str, Any]) -> bool:
    """Whether its update is Adam's own, and no hook waits for its gradient."""
    special = "amsgrad", "maximize", "differentiable"
    numbers = group["lr"], *group["betas"]
    return (
        not any(group[name] for name in special)
        and group["eps"] >= _EPS
        and not any(isinstance(number, Tensor) for number in numbers)
        and weight.requires_grad
        and weight.is_contiguous()
        and not weight._backward_hooks
        and not getattr(weight, "_post_accumulate_grad_hooks", None)
    )

"""NaN and infinity, noticed at the step where they arise: a neuron with a membrane of NaN just never fires."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from snn_synth.errors import InputError


def all_finite(tensors: Sequence[Tensor]) -> bool:
    """Whether no value is NaN or infinite, at the cost of one pass and, on a GPU, one wait.

    Example:
        >>> all_finite([torch.ones(3), torch.tensor([1.0, torch.nan])])
        False
    """
    plain = [tensor.detach() for tensor in tensors]
    if len(plain) > 3 or not all(tensor.is_cpu for tensor in plain):
        finite = bool(get_total_norm(plain).isfinite())  # one call for all of them
    else:
        finite = all(math.isfinite(tensor.sum().item()) for tensor in plain)
    return finite or all(bool(tensor.isfinite().all()) for tensor in plain)  # sum or norm may be too large itself


def check_forward(
    model: nn.Module,
    spikes: Tensor,
    targets: Tensor,
    hidden: Sequence[Tensor],
    loss: Tensor,
    weights: Sequence[Tensor],
) -> None:
    """Look at what a forward pass gave: what is wrong with a weight or an input shows in membranes and loss.

    Args:
        model: whose weights are looked at if something is wrong.
        spikes: its input.
        targets: the spikes that it should fire.
        hidden: membranes of its layers but the last, whose membrane is in the loss.
        loss: of the output.
        weights: that membranes may not show: on the CPU, a list of spikes leaves out those of inputs that do not fire.

    Raises:
        InputError: that names the weight, the input, or the layer that NaN or infinity come from.
    """
    unseen = weights if loss.is_cpu else ()
    if all_finite([*hidden, loss, *unseen]) or not spikes.numel():  # the mean over no sample is NaN
        return
    check_weights(model)
    for name, values in (("input spikes", spikes), ("target spikes", targets)):
        if not values.isfinite().all():
            t, b = torch.nonzero(~values.isfinite())[0, :2].tolist()
            raise InputError(f"Expected finite {name}, got {_found(values)} in sample {b} at time step {t}")
    where = next((f"the membranes of layer {i}" for i, v in enumerate(hidden) if not v.isfinite().all()), "the loss")
    raise InputError(
        f"Expected finite membranes and loss, got others in {where}, of finite weights and input: the weights have "
        "grown too large; give a lower learning rate"
    )


def check_weights(model: nn.Module) -> None:
    """Raise InputError if a weight is NaN or infinite, or what batch norm has averaged, and name it.

    Nor can an averaged variance be negative: its root would be NaN, and every neuron after it silent.
    """
    averages = {name: x for name, x in model.named_buffers() if name.endswith((".running_mean", ".running_var"))}
    _check("weights, got {} in", dict(model.named_parameters()) | averages)
    for name, values in averages.items():
        if name.endswith(".running_var") and (values < 0).any():
            raise InputError(f"Expected variances of at least 0, got {values.min():g} in `{name}`")


def check_update(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Raise InputError if a weight of an optimizer, or its gradient, is NaN or infinite; its name is the model's.

    Example:
        >>> net = nn.Linear(2, 1, bias=False)
        >>> (net(torch.ones(2)) * torch.nan).sum().backward()
        >>> check_update(net, torch.optim.SGD(net.parameters()))
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected finite gradients, got nan in that of `weight`: ...
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    if not all_finite([*weights, *(weight.grad for weight in weights if weight.grad is not None)]):
        check_weights(model)
        gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
        _check("gradients, got {} in that of", gradients)


def _check(words: str, named: Mapping[str, Tensor]) -> None:
    if all_finite(list(named.values())):
        return
    for name, values in named.items():
        if not values.isfinite().all():
            raise InputError(
                f"Expected finite {words.format(_found(values))} `{name}`: go on from an earlier checkpoint, with a "
                "lower learning rate or with checked data"
            )


def readable(x: Tensor) -> bool:
    """Whether numbers can be looked at here, and have to be finite.

    Not while compiling or tracing, nor in float16, where a value too large is the business of gradient scaling.

    Example:
        >>> readable(torch.ones(1)), readable(torch.ones(1, dtype=torch.float16))
        (True, False)
    """
    return not (
        torch.compiler.is_compiling()
        or type(x) is not Tensor
        or torch._C._functorch.is_functorch_wrapped_tensor(x)
        or x.device.type == "meta"
        or (x.is_cuda and torch.cuda.is_current_stream_capturing())
        or x.dtype == torch.float16
        or (torch.is_autocast_enabled(x.device.type) and torch.get_autocast_dtype(x.device.type) == torch.float16)
    )


def _found(values: Tensor) -> float:
    return float(values.detach()[~values.isfinite()][0])

"""Adam's step made together with its gradient, beside ``torch.optim``'s own after a backward pass."""

import functools
import math
import types

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.testing import assert_close

from snn_synth.kernels.cpu import step, traces
from snn_synth.kernels.cpu.together import start
from snn_synth.learning import online_step
from snn_synth.learning.adam import Moments, fused_step, plain_moments
from snn_synth.models import SpikingStack

LR = 1e-3
ADAM = functools.partial(torch.optim.Adam, lr=LR)
ADAMW = functools.partial(torch.optim.AdamW, lr=LR)


def spikes_of(*shape, seed):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.4).float()


def by_autograd(loss):
    """A backward pass that is not PyTorch's plain one, for which gradients are written."""
    loss.backward()


def stack(sizes=(70, 130, 65)):
    torch.manual_seed(0)
    net = SpikingStack(list(sizes))
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(4)
    return net


def train(make, batches=3, sizes=(70, 130, 65), **settings):
    net = stack(sizes)
    optimizer = make(net.parameters())
    losses = [
        online_step(
            net,
            spikes_of(6, 20, sizes[0], seed=10 + i),
            spikes_of(6, 20, sizes[-1], seed=i),
            optimizer,
            **settings,
        )
        for i in range(batches)
    ]
    return net, optimizer, torch.stack(losses)


KINDS = [
    ADAM,
    functools.partial(ADAM, weight_decay=0.1, betas=(0.8, 0.9), eps=1e-6),
    ADAMW,
    functools.partial(ADAMW, weight_decay=0.1, fused=True),
    functools.partial(ADAM, weight_decay=0.1, decoupled_weight_decay=True),
    functools.partial(ADAM, betas=(0.999, 0.999999)),
]


@pytest.mark.parametrize("make", KINDS)
def test_many_steps_move_a_weight_as_pytorch_does(make):
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.randn(33, 70, generator=generator.manual_seed(1))) for _ in range(2))
    mine, its = make([ours]), make([theirs])
    (moments,) = plain_moments(mine, [ours])
    sums = torch.rand(4, 9, 70, generator=generator)
    for _ in range(50):
        errors = step.errors(torch.randn(9, 33, generator=generator) * (torch.rand(9, 33, generator=generator) < 0.4))
        last = torch.randint(0, 3, (9, 33), generator=generator, dtype=torch.int32)
        theirs.grad = traces.weight_gradient(errors, last, sums, 3, 0.9)
        its.step()
        traces.update_weight(errors, last, sums, 3, 0.9, moments)
    assert_close(ours, theirs, rtol=1e-5, atol=1e-3 * LR)
    assert mine.state[ours].keys() == its.state[theirs].keys()
    for name, value in mine.state[ours].items():
        scale = its.state[theirs][name].abs().max()
        assert (value - its.state[theirs][name]).abs().max() <= 5e-6 * scale


@pytest.mark.parametrize("make", KINDS)
def test_a_batch_ends_with_the_same_weights_and_state(make):
    ours, optimizer, losses = train(make, 1)
    theirs, other, expected = train(make, 1, backward=by_autograd)
    assert all(weight.grad is None for weight in ours.parameters())  # so it was the other way
    assert all(weight.grad is not None for weight in theirs.parameters())
    assert_close(losses, expected, rtol=1e-6, atol=0.0)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(a, b, rtol=1e-5, atol=0.02 * LR)
        assert optimizer.state[a]["step"] == other.state[b]["step"] == 6


@pytest.mark.parametrize("sizes", [(9, 5), (2300, 2000, 66), (64, 4200, 70)])
def test_matrices_of_every_form(sizes):
    """Narrow, so large that several blocks are taken at a time, and with more neurons than inputs."""
    ours, _, _ = train(ADAM, 1, sizes)
    theirs, _, _ = train(ADAM, 1, sizes, backward=by_autograd)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(a, b, rtol=1e-5, atol=0.02 * LR)


def test_the_same_with_one_thread_and_two():
    before, found = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(list(train(ADAMW)[0].parameters()))
    torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_each_group_has_its_own_rates():
    def make(weights):
        first, last = weights
        return torch.optim.AdamW(
            [{"params": [last], "lr": 3 * LR, "weight_decay": 0.5}, {"params": [first], "betas": (0.5, 0.9)}], lr=LR
        )

    ours, _, _ = train(make, 1)
    theirs, _, _ = train(make, 1, backward=by_autograd)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(a, b, rtol=1e-5, atol=0.02 * LR)


def test_gradients_of_before_are_gone():
    net = stack()
    for weight in net.parameters():
        weight.grad = torch.ones_like(weight)
    online_step(net, spikes_of(6, 20, 70, seed=5), spikes_of(6, 20, 65, seed=6), ADAM(net.parameters()))
    assert all(weight.grad is None for weight in net.parameters())


def test_a_state_is_gone_on_with_either_way():
    _, optimizer, _ = train(ADAM, fresh_moments=False)
    net, kept = stack(), optimizer.state_dict()
    other = ADAM(net.parameters())
    other.load_state_dict(kept)
    spikes, targets = spikes_of(6, 20, 70, seed=5), spikes_of(6, 20, 65, seed=6)
    online_step(net, spikes, targets, other, fresh_moments=False)
    assert all(state["step"] == 24 for state in other.state.values())
    sum(weight.sum() for weight in net.parameters()).backward()
    other.step()
    assert all(state["step"] == 25 for state in other.state.values())


def test_a_scheduler_learns_of_the_steps(recwarn):
    net = stack()
    optimizer = ADAM(net.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    spikes = spikes_of(6, 20, 70, seed=5)
    online_step(net, spikes, spikes_of(6, 20, 65, seed=6), optimizer)
    scheduler.step()
    assert not [w for w in recwarn if "lr_scheduler.step" in str(w.message)]
    assert all(weight.grad is None for weight in net.parameters())
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * LR)


def test_a_graph_through_the_weights_of_before_is_refused():
    net = stack()
    optimizer = ADAM(net.parameters())
    weight = next(net.parameters())
    graph = (weight * weight).sum()
    online_step(net, spikes_of(6, 20, 70, seed=5), spikes_of(6, 20, 65, seed=6), optimizer)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        graph.backward()


def _step_hook(optimizer, seen):
    optimizer.register_step_post_hook(lambda *_: seen.append("step"))


def _step_pre_hook(optimizer, seen):
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))


def _global_hook(optimizer, seen):
    handle = register_optimizer_step_post_hook(lambda *_: (seen.append("any"), len(seen) == 6 and handle.remove())[2:])


def _scheduled_patch(optimizer, seen):
    _patched_step(optimizer, seen)
    optimizer.step = types.MethodType(lambda self, step=optimizer.step: step(), optimizer)
    torch.optim.lr_scheduler.StepLR(optimizer, 1)


def _patched_schedule(optimizer, seen):
    torch.optim.lr_scheduler.StepLR(optimizer, 1)
    step = optimizer.step
    optimizer.step = functools.wraps(step)(lambda: (seen.append("patched"), step()))


def _gradient_hook(optimizer, seen):
    optimizer.param_groups[0]["params"][0].register_hook(lambda _: seen.append("gradient"))


def _accumulated_hook(optimizer, seen):
    optimizer.param_groups[0]["params"][0].register_post_accumulate_grad_hook(lambda _: seen.append("accumulated"))


def _patched_step(optimizer, seen):
    step = optimizer.step
    optimizer.step = lambda: (seen.append("patched"), step())


@pytest.mark.parametrize(
    "hook",
    [
        _step_hook,
        _step_pre_hook,
        _global_hook,
        _gradient_hook,
        _accumulated_hook,
        _patched_step,
        _scheduled_patch,
        _patched_schedule,
    ],
)
def test_what_waits_for_a_step_or_a_gradient_is_called(hook):
    net, seen = stack(), []
    optimizer = ADAM(net.parameters())
    hook(optimizer, seen)
    online_step(net, spikes_of(6, 20, 70, seed=5), spikes_of(6, 20, 65, seed=6), optimizer)
    assert len(seen) == 6
    assert all(weight.grad is not None for weight in net.parameters())


@pytest.mark.parametrize(
    "make",
    [
        torch.optim.NAdam,
        functools.partial(ADAM, amsgrad=True),
        functools.partial(ADAM, maximize=True),
        functools.partial(ADAM, eps=0.0),
        functools.partial(torch.optim.Adam, lr=torch.tensor(LR)),
        functools.partial(ADAM, differentiable=True),
        functools.partial(ADAM, capturable=True),
    ],
)
def test_another_update_than_plain_adam_is_the_optimizers_own(make):
    net = stack()
    assert plain_moments(make(net.parameters()), list(net.parameters())) is None


def test_how_small_eps_may_be():
    """With less, gradients that the kernel takes for 0 would move a weight."""
    weight = torch.nn.Parameter(torch.zeros(2, 3))
    assert plain_moments(ADAM([weight], eps=1e-10), [weight]) is not None
    assert plain_moments(ADAM([weight], eps=9.9e-11), [weight]) is None


def test_where_anomalies_are_looked_for_gradients_are_written():
    weight = torch.nn.Parameter(torch.zeros(2, 3))
    with pytest.warns(UserWarning, match="Anomaly Detection"), torch.autograd.detect_anomaly():
        assert plain_moments(ADAM([weight]), [weight]) is None


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(("fused", "capturable"), [(False, False), (True, False), (False, True), (True, True)])
def test_the_state_lies_where_pytorch_has_it(device, fused, capturable):
    """The count of steps on the CPU, unless the optimizer's own kernels read it where the weight is."""
    weight = torch.nn.Parameter(torch.zeros(2, 3, device=device))
    group = {"fused": fused, "capturable": capturable}
    moments = Moments(weight, group, {}, decoupled=False)
    mean, square = moments.mean, moments.square
    assert {(x.device.type, x.shape, x.dtype) for x in (mean, square)} == {(device, (2, 3), torch.float32)}
    moments.keep()
    assert moments.state["exp_avg"] is mean
    assert moments.state["exp_avg_sq"] is square
    assert moments.count == 1
    step = moments.state["step"]
    assert (step.shape, step.dtype) == ((), torch.float32)
    assert step.device.type == (device if fused or capturable else "cpu")


def test_one_weight_in_two_layers_has_one_step():
    net = stack((70, 70, 70))
    net.layers[1][0].weight = net.layers[0][0].weight
    optimizer = ADAM(net.parameters())
    online_step(net, spikes_of(6, 20, 70, seed=5), spikes_of(6, 20, 70, seed=6), optimizer)
    assert optimizer.state[net.layers[0][0].weight]["step"] == 6
    assert net.layers[0][0].weight.grad is not None


def test_without_gradients_there_is_nothing_to_learn_by():
    net = stack()
    with torch.no_grad(), pytest.raises(RuntimeError, match="does not require grad"):
        online_step(net, spikes_of(6, 20, 70, seed=5), spikes_of(6, 20, 65, seed=6), ADAM(net.parameters()))


def test_moments_of_another_dtype_are_the_optimizers_own():
    net = stack()
    optimizer = ADAM(net.parameters(), foreach=False)
    spikes, targets = spikes_of(6, 20, 70, seed=5), spikes_of(6, 20, 65, seed=6)
    online_step(net, spikes, targets, optimizer)
    weight = next(net.parameters())
    optimizer.state[weight]["exp_avg"] = optimizer.state[weight]["exp_avg"].double()
    assert plain_moments(optimizer, list(net.parameters())) is None


def test_a_weight_that_the_optimizer_does_not_have_is_left_alone():
    net = stack()
    first, last = net.parameters()
    before = first.detach().clone()
    online_step(net, spikes_of(6, 20, 70, seed=5), spikes_of(6, 20, 65, seed=6), ADAM([last]))
    assert torch.equal(first, before)
    assert not torch.equal(last, stack().layers[1][0].weight)


def test_gradients_too_small_to_matter_leave_no_subnormal_numbers():
    weight = torch.nn.Parameter(torch.zeros(1, 1))
    (moments,) = plain_moments(ADAM([weight]), [weight])
    errors = step.errors(torch.full((1, 1), 1e-20))
    sums = torch.ones(2, 1, 1)
    traces.update_weight(errors, torch.zeros(1, 1, dtype=torch.int32), sums, 1, 0.0, moments)
    assert moments.state["exp_avg_sq"].item() == 0
    errors = step.errors(torch.full((1, 1), math.nan))
    traces.update_weight(errors, torch.zeros(1, 1, dtype=torch.int32), sums, 1, 0.0, moments)
    assert weight.isnan().all()  # which is noticed at the next step


def test_a_step_that_is_interrupted_is_not_counted(monkeypatch):
    net, calls, compute = stack((70, 65, 66)), [], traces._gradient_or_step

    def interrupted(*given):
        calls.append(1)
        if len(calls) == 3:  # of the output layer in the second time step
            raise KeyboardInterrupt
        compute(*given)

    monkeypatch.setattr(traces, "_gradient_or_step", lambda *given: start(interrupted, *given))
    optimizer = ADAM(net.parameters())
    with pytest.raises(KeyboardInterrupt):
        online_step(net, spikes_of(6, 20, 70, seed=5), spikes_of(6, 20, 66, seed=6), optimizer)
    assert [optimizer.state[weight]["step"] for weight in net.parameters()] == [1, 1]


# --- PyTorch's fused step, without what is around it ---


def learned(optimizer_class=torch.optim.Adam, **settings):
    """A weight and its optimizer after one step, with a gradient for the next one."""
    weight = torch.nn.Parameter(torch.ones(2, 3))
    optimizer = optimizer_class([weight], **{"fused": True, "lr": 0.1} | settings)
    weight.grad = torch.arange(6.0).view(2, 3)
    optimizer.step()
    return weight, optimizer


@torch.no_grad()
def step_alone(optimizer, weight):
    fused_step(optimizer, [weight])([weight.grad])


@pytest.mark.parametrize("optimizer_class", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("settings", [{}, {"weight_decay": 0.3, "betas": (0.5, 0.7), "eps": 0.1}])
def test_the_fused_step_is_that_of_the_optimizer(optimizer_class, settings):
    found = []
    for alone in (False, True):
        weight, optimizer = learned(optimizer_class, **settings)
        for _ in range(3):
            if alone:
                step_alone(optimizer, weight)
            else:
                optimizer.step()
        found.append([weight, *optimizer.state[weight].values()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert found[0][1] == 4


@pytest.mark.parametrize(
    "settings",
    [{"fused": None}, {"amsgrad": True}, {"maximize": True}, {"capturable": True}, {"lr": torch.tensor(0.1)}],
    ids=lambda settings: next(iter(settings)),
)
def test_other_settings_of_adam_get_its_own_step(settings):
    weight, optimizer = learned(**settings)
    assert fused_step(optimizer, [weight]) is None


def of_another_class(weight, optimizer):
    optimizer.__class__ = type("Other", (torch.optim.Adam,), {})


def with_a_hook(weight, optimizer):
    optimizer.register_step_post_hook(lambda *_: None)


def with_a_hook_before(weight, optimizer):
    optimizer.register_step_pre_hook(lambda *_: None)


def with_a_step_of_its_own(weight, optimizer):
    optimizer.step = lambda: None


def with_another_group(weight, optimizer):
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))]})


def with_another_weight(weight, optimizer):
    optimizer.param_groups[0]["params"].append(torch.nn.Parameter(torch.ones(1)))


def with_another_in_its_place(weight, optimizer):
    optimizer.param_groups[0]["params"][0] = torch.nn.Parameter(torch.ones(2, 3))


def without_a_step_before(weight, optimizer):
    optimizer.state.clear()


def with_scaled_gradients(weight, optimizer):
    optimizer.grad_scale = torch.ones(1)


def with_gradients_that_may_be_infinite(weight, optimizer):
    optimizer.found_inf = torch.zeros(1)


@pytest.mark.parametrize(
    "change",
    [
        of_another_class,
        with_a_hook,
        with_a_hook_before,
        with_a_step_of_its_own,
        with_another_group,
        with_another_weight,
        with_another_in_its_place,
        without_a_step_before,
        with_scaled_gradients,
        with_gradients_that_may_be_infinite,
    ],
)
def test_other_steps_are_made_by_the_optimizer(change):
    weight, optimizer = learned()
    assert fused_step(optimizer, [weight]) is not None
    change(weight, optimizer)
    assert fused_step(optimizer, [weight]) is None


def test_a_scheduler_notices_the_fused_step(recwarn):
    weight, optimizer = learned()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    step_alone(optimizer, weight)
    scheduler.step()
    assert not recwarn
    before = weight.detach().clone()
    step_alone(optimizer, weight)
    assert optimizer.param_groups[0]["lr"] == 0.05
    assert (weight < before)[weight.grad > 0].all()

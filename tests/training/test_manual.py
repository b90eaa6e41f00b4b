"""The online rule under Lightning: by PyTorch alone where nobody watches, else through the hooks that somebody has."""

from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import LambdaCallback
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch.testing import assert_close

from snn_synth.kernels.cpu import traces
from snn_synth.models import AESNN
from snn_synth.training import LitAutoencoder
from snn_synth.training.manual import Uncounted
from tests.training.tiny import TinyImages, quiet_trainer

HOOKS = ["on_before_backward", "on_after_backward", "on_before_optimizer_step"]


def fit(tmp_path, module_class=LitAutoencoder, **trainer):
    torch.manual_seed(0)
    network = AESNN(12, 5)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(4)
    module = module_class(network, rule="online", num_steps=4)
    run = quiet_trainer(tmp_path, max_epochs=1, **trainer)
    with patch.object(traces, "update_weight", wraps=traces.update_weight) as alone:
        run.fit(module, TinyImages())
    return module, run, alone.call_count


class Watching(Callback):
    def __init__(self):
        self.calls = dict.fromkeys(HOOKS, 0)


for _name in HOOKS:

    def _count(self, *_, name=_name):
        self.calls[name] += 1

    setattr(Watching, _name, _count)


def test_the_same_weights_and_steps_with_and_without_watching(tmp_path):
    ours, run, alone = fit(tmp_path, limit_train_batches=1)
    watching = Watching()
    theirs, other, none = fit(tmp_path, limit_train_batches=1, callbacks=[watching])
    assert (alone, none) == (2 * 4, 0)  # layers and time steps
    assert watching.calls == dict.fromkeys(HOOKS, 4)
    assert run.global_step == other.global_step == 1
    for a, b in zip(ours.network.parameters(), theirs.network.parameters(), strict=True):
        assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_every_batch_is_one_step(tmp_path):
    _, run, alone = fit(tmp_path)
    batches = len(run.train_dataloader)
    assert alone == 8 * batches
    assert run.global_step == batches > 1
    progress = run.fit_loop.epoch_loop.manual_optimization.optim_step_progress.total
    assert progress.ready == progress.completed == batches


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_of_a_subclass_or_an_instance_is_called(tmp_path, name):
    seen = []

    class Hooked(LitAutoencoder):
        pass

    setattr(Hooked, name, lambda self, *_: seen.append(name))
    assert fit(tmp_path, Hooked, limit_train_batches=1)[2] == 0
    assert len(seen) == 4
    callback = LambdaCallback(**{name: lambda *_: seen.append(name)})
    assert fit(tmp_path, limit_train_batches=1, callbacks=[callback])[2] == 0
    assert len(seen) == 8


class OtherStrategy(SingleDeviceStrategy):
    """What a strategy of somebody's own does in its step is not known."""


def test_another_strategy_sees_every_step(tmp_path):
    assert fit(tmp_path, limit_train_batches=1, strategy=OtherStrategy("cpu"))[2] == 0


def test_a_backward_of_a_subclass_is_called(tmp_path):
    class Scaled(LitAutoencoder):
        def backward(self, loss, *args, **kwargs):
            super().backward(loss, *args, **kwargs)

    assert fit(tmp_path, Scaled, limit_train_batches=1)[2] == 0


@pytest.mark.parametrize("flag", [{"precision": "bf16-mixed"}, {"profiler": "simple"}, {"detect_anomaly": True}])
def test_flags_that_look_at_every_step(tmp_path, flag):
    _, run, alone = fit(tmp_path, limit_train_batches=1, **flag)
    assert alone == 0
    assert run.global_step == 1


@pytest.mark.parametrize(("settings", "done"), [({}, "uuuu"), ({"counted": 1}, "cuuu"), ({"counted": 3}, "uucu")])
def test_which_update_of_a_batch_is_the_counted_one(settings, done):
    seen = []
    wrapped = SimpleNamespace(step=lambda: seen.append("c"), optimizer="theirs", lr=0.5)
    strategy = SimpleNamespace(optimizer_step=lambda optimizer, closure: seen.append("u") or closure())
    optimizer = Uncounted(wrapped, strategy, **settings)
    for _ in range(4):
        optimizer.step()
    assert "".join(seen) == done
    assert optimizer.lr == 0.5

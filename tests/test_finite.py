"""NaN and infinity are noticed at the step where they arise, by the name of what they are in; nothing is spread."""

import functools

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

from snn_synth import kernels
from snn_synth.errors import InputError
from snn_synth.kernels.cpu import currents
from snn_synth.learning import bptt_loss, bptt_step, online_step
from snn_synth.learning.finite import all_finite, check_update, check_weights, readable
from snn_synth.models import AESNN, SpikingGAN, SpikingStack
from snn_synth.training import AtomicCheckpointIO, LitAutoencoder, LitSpikingGAN, ResumeCheckpoint
from tests.training.resume_child import FewImages, autoencoder_job, generator_job
from tests.training.tiny import TinyImages, quiet_trainer

BAD = [torch.nan, torch.inf, -torch.inf]


def chunked_step(model, spikes, targets, optimizer, **options):
    loss = bptt_loss(model, spikes, targets, chunk=2, **options)
    loss.backward()
    optimizer.step()


STEPS = [bptt_step, online_step, chunked_step]


def training(seed=0):
    torch.manual_seed(seed)
    net = SpikingStack([12, 7, 9, 12])
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(3)
    spikes = (torch.rand(5, 4, 12) < 0.4).float()
    spikes[2, 3, 5] = 1
    return net, spikes, spikes.clone(), torch.optim.SGD(net.parameters(), lr=0.01)


def spoil(net, spikes, targets, what, bad):
    with torch.no_grad():
        if isinstance(what, int):
            net.layers[what][0].weight[3, 5] = bad
        else:
            {"input": spikes, "target": targets}[what][2, 3, 5] = bad


@pytest.mark.parametrize("path", ["numba", "reference"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("input", "input spikes, got {} in sample 3 at time step 2"),
        ("target", "target spikes, got {} in sample 3 at time step 2"),
        (0, "weights, got {} in `layers.0.0.weight`"),
        (1, "weights, got {} in `layers.1.0.weight`"),
        (2, "weights, got {} in `layers.2.0.weight`"),
    ],
)
def test_what_is_not_finite_is_named_and_nothing_is_spread(path, step, bad, what, named):
    net, spikes, targets, optimizer = training()
    if what == "target" and bad == -torch.inf and path == "numba":
        targets[2, 3, 5] = 0  # below 0 it is no spike, for the loss as it was defined
    spoil(net, spikes, targets, what, bad)
    before = [weight.clone() for weight in net.parameters()]
    with kernels.use(path), pytest.raises(InputError) as error:
        step(net, spikes, targets, optimizer)
    assert named.format(bad) in str(error.value)
    finite = [name for name, weight in net.named_parameters() if weight.isfinite().all()]
    assert len(finite) == 3 - isinstance(what, int)
    if step is not online_step:  # which has updated at the time steps before
        for weight, was in zip(net.parameters(), before, strict=True):
            assert torch.equal(weight.nan_to_num(), was.nan_to_num())


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("what", ["input", "target"])
def test_of_several_the_first_in_time_is_named(step, what):
    net, spikes, targets, optimizer = training()
    spoiled = spikes if what == "input" else targets
    spoiled[1, 2, 7], spoiled[1, 3, 2], spoiled[4, 0, 1] = torch.inf, torch.nan, torch.nan
    with pytest.raises(InputError, match=f"Expected finite {what} spikes, got inf in sample 2 at time step 1$"):
        step(net, spikes, targets, optimizer)


def test_of_several_weights_the_first_is_named():
    net, *_ = training()
    check_weights(net)
    with torch.no_grad():
        net.layers[2][0].weight[0, 0] = net.layers[1][0].weight[5, 6] = torch.nan
        net.layers[1][0].weight[2, 3] = -torch.inf
    with pytest.raises(InputError, match=r"finite weights, got -inf in `layers\.1\.0\.weight`: go on from an earlier"):
        check_weights(net)


def test_averages_of_batch_norm_are_looked_at_too():
    norm = torch.nn.BatchNorm1d(3)
    net = torch.nn.Sequential(norm)
    norm.running_var[1] = 0.0  # of a neuron that always gets the same
    check_weights(net)
    norm.running_var[1] = -0.25
    with pytest.raises(InputError, match=r"variances of at least 0, got -0\.25 in `0\.running_var`"):
        check_weights(net)
    norm.running_var[1] = 1.0
    norm.running_mean[0] = torch.nan
    with pytest.raises(InputError, match=r"finite weights, got nan in `0\.running_mean`"):
        check_weights(net)


def test_where_numbers_are_not_looked_at():
    x = torch.zeros(2)
    for taken in (x, x.double(), x.bfloat16()):
        assert readable(taken)
    for left in (x.half(), x.to("meta"), torch.nn.Parameter(x)):
        assert not readable(left)
    seen = []
    torch.func.vmap(lambda row: seen.append(readable(row)) or row)(torch.zeros(2, 3))
    assert seen == [False]
    with torch.autocast("cpu", torch.bfloat16):
        assert readable(x)
    with torch.autocast("cpu", torch.float16):
        assert not readable(x)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_all_are_looked_at_however_many(count):
    tensors = [torch.full((2,), 1e30) for _ in range(count)]  # whose squares overflow
    assert all_finite(tensors)
    for i in range(count):
        for bad in BAD:
            assert not all_finite([*tensors[:i], torch.tensor([1.0, bad]), *tensors[i + 1 :]])


def test_gradients_are_looked_at_with_the_weights():
    net, *_, optimizer = training()
    check_update(net, optimizer)  # there are none yet
    first, second, _ = net.parameters()
    second.grad = torch.ones_like(second)
    check_update(net, optimizer)
    second.grad[0, 0] = torch.inf
    with pytest.raises(InputError, match=r"finite gradients, got inf in that of `layers\.1\.0\.weight`"):
        check_update(net, optimizer)
    first.data[0, 0] = torch.nan
    with pytest.raises(InputError, match=r"finite weights, got nan in `layers\.0\.0\.weight`"):
        check_update(net, optimizer)


@pytest.mark.parametrize("step", STEPS)
def test_weights_that_grow_without_bound_are_noticed(step):
    net, spikes, targets, _ = training()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e30)
    with pytest.raises(InputError, match=r"grown too large|Expected finite weights"):
        for _ in range(10):
            step(net, spikes, targets, optimizer)


@pytest.mark.parametrize("step", STEPS)
def test_large_finite_numbers_pass(step):
    """Their squares would overflow."""
    net, spikes, targets, optimizer = training()
    optimizer.param_groups[0]["lr"] = 0.0
    with torch.no_grad():
        net.layers[0][0].weight[:] = 1e18
    step(net, spikes, targets, optimizer)


def test_a_float16_overflow_is_left_to_the_scaler():
    net, spikes, targets, _ = training()
    with torch.no_grad():
        net.layers[0][0].weight[:] = 6e4
        net.layers[2][0].weight[:] = 6e4
    with torch.autocast("cpu", torch.float16):
        assert not bptt_loss(net, spikes, targets).isfinite()


class Own(LightningModule):
    """A user's, which knows nothing of ours but the loss."""

    def __init__(self):
        super().__init__()
        self.network = SpikingStack([12, 7, 12])

    def training_step(self, batch):
        spikes = batch[0].transpose(0, 1)
        return bptt_loss(self.network, spikes, spikes)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


def trainer(folder, **options):
    return Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_val_batches=0,
        plugins=[AtomicCheckpointIO()],
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def test_a_users_own_module_stops_too(tmp_path):
    data = (torch.rand(40, 5, 12) < 0.4).float()
    data[23, 1, 2] = torch.nan
    module = Own()
    with pytest.raises(InputError, match=r"input spikes, got nan in sample 3 at time step 1"):
        trainer(tmp_path).fit(module, DataLoader(TensorDataset(data), batch_size=10))
    assert module.global_step == 2
    assert all(weight.isfinite().all() for weight in module.parameters())


def jobs():
    yield pytest.param(lambda: autoencoder_job("bptt"), id="bptt")
    yield pytest.param(lambda: autoencoder_job("online"), id="online")
    for kind in ("predictor", "temporal", "hybrid", "gan", "esvae"):
        yield pytest.param(functools.partial(generator_job, kind), id=kind)


class Spoil(Callback):
    """Puts a number into the first weights after a batch."""

    def __init__(self, batch, value):
        self.batch, self.value = batch, value

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if batch_idx == self.batch:
            next(pl_module.network.parameters()).data[:] = self.value


@pytest.mark.parametrize("make", [*jobs()])
@pytest.mark.parametrize("spoiled", [5, 7], ids=["noticed at the next batch", "noticed by the checkpoint"])
def test_every_module_stops_and_keeps_its_checkpoint(make, spoiled, tmp_path):
    """Checkpoints are written after the fourth and the eighth batch."""
    module, data = make()
    callbacks = [Spoil(spoiled, torch.nan), ResumeCheckpoint(every_n_batches=4)]
    with pytest.raises(InputError, match="finite weights, got nan"):
        trainer(tmp_path, callbacks=callbacks).fit(module, data)
    assert module.trainer.fit_loop.epoch_loop.batch_idx == (6 if spoiled == 5 else 7)
    kept = torch.load(tmp_path / "resume.ckpt", weights_only=True)
    assert kept["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]["ready"] == 4
    assert all(value.isfinite().all() for value in kept["state_dict"].values() if value.is_floating_point())


ADAMW, SGD, ONE_CYCLE = torch.optim.AdamW, torch.optim.SGD, torch.optim.lr_scheduler.OneCycleLR


@pytest.mark.parametrize(
    ("optimizer", "scheduler", "named"),
    [
        ({"lr": torch.inf}, {}, "optimizer.lr"),
        ({"lr": torch.nan}, {}, "learning rate: nan"),
        ({"lr": -1.0}, {}, "learning rate: -1"),
        ({"weight_decay": torch.nan}, {}, "weight_decay value: nan"),
        ({"weight_decay": torch.inf}, {}, "optimizer.weight_decay"),
        ({"betas": (0.9, 1.0)}, {}, "beta"),
        ({"eps": torch.inf}, {}, "optimizer.eps"),
        ({}, {"max_lr": -1.0}, "lr_scheduler.max_lr"),
        ({}, {"max_lr": torch.nan}, "lr_scheduler.max_lr"),
        ({}, {"max_lr": [torch.inf]}, "lr_scheduler.max_lr"),
        ({}, {"max_lr": 0.1, "final_div_factor": torch.nan}, "lr_scheduler.final_div_factor"),
    ],
)
def test_rates_that_are_none_are_refused_before_training(optimizer, scheduler, named, tmp_path):
    torch.manual_seed(1)
    settings = {"optimizer": functools.partial(ADAMW, **optimizer)}
    if scheduler:
        settings["lr_scheduler"] = functools.partial(ONE_CYCLE, **scheduler)
    module = LitSpikingGAN(SpikingGAN(side=7, latent=5, hidden=6, num_steps=16), **settings)
    with pytest.raises(ValueError, match=named):  # of ours, or PyTorch's own, which the command line passes on
        trainer(tmp_path).fit(module, FewImages(batch_size=10))
    assert module.global_step == 0


# Weights that are not finite, where nothing is trained


def test_a_model_folder_with_nan_is_refused(tmp_path):
    net, *_ = training()
    with torch.no_grad():
        net.layers[1][0].weight[2, 3] = torch.nan
    net.save_pretrained(tmp_path / "net")
    with pytest.raises(InputError, match=r"Expected finite weights, got nan in `layers\.1\.0\.weight`"):
        SpikingStack.from_pretrained(tmp_path / "net")


@pytest.mark.parametrize("stage", ["validate", "test", "predict"])
def test_no_weights_with_nan_are_measured(stage, tmp_path):
    module, data = LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages()
    with torch.no_grad():
        module.network.layers[0][0].weight[0, 0] = torch.inf
    with pytest.raises(InputError, match=r"Expected finite weights, got inf in `network\.layers\.0\.0\.weight`"):
        getattr(quiet_trainer(tmp_path), stage)(module, data)


def test_no_weights_with_nan_are_trained(tmp_path, monkeypatch):
    """Not even a batch: a weight that no spike reaches would stay what it is."""
    module = LitAutoencoder(AESNN(12, 3), num_steps=2)
    with torch.no_grad():
        module.network.layers[0][0].weight[0, 0] = torch.inf
    monkeypatch.setattr(module, "training_step", lambda *_: pytest.fail("a batch was trained"))
    with pytest.raises(InputError, match=r"Expected finite weights, got inf in `network\.layers\.0\.0\.weight`"):
        quiet_trainer(tmp_path, max_epochs=1, num_sanity_val_steps=0).fit(module, TinyImages())


def test_a_checkpoint_with_nan_is_refused(tmp_path):
    trainer = quiet_trainer(tmp_path, max_epochs=1, callbacks=[ResumeCheckpoint()])
    trainer.fit(LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages())
    content = torch.load(tmp_path / "resume.ckpt", weights_only=True)
    content["state_dict"]["network.layers.1.0.weight"][0, 1] = torch.nan
    torch.save(content, tmp_path / "nan.ckpt")
    with pytest.raises(InputError, match=r"got nan in `network\.layers\.1\.0\.weight`"):
        LitAutoencoder.load_from_checkpoint(tmp_path / "nan.ckpt")


def a_node_for_each_kernel(net, spikes):
    net.layers[0][1].register_forward_hook(lambda *_: None)
    return bptt_step(net, spikes, spikes, torch.optim.Adam(net.parameters()))


def by_chunks(net, spikes):
    return bptt_loss(net, spikes, spikes, chunk=2)


def online_with_gradients(net, spikes):
    return online_step(net, spikes, spikes, torch.optim.SGD(net.parameters(), lr=0.1))


def online_with_adam(net, spikes):
    return online_step(net, spikes, spikes, torch.optim.Adam(net.parameters()))


def bptt_without_a_graph(net, spikes):
    return bptt_step(net, spikes, spikes, torch.optim.Adam(net.parameters(), fused=True))


def bptt_with_a_graph(net, spikes):
    return bptt_loss(net, spikes, spikes)


@pytest.mark.parametrize(
    "learn",
    [
        bptt_without_a_graph,
        bptt_with_a_graph,
        a_node_for_each_kernel,
        by_chunks,
        online_with_adam,
        online_with_gradients,
    ],
)
@pytest.mark.parametrize("value", [torch.nan, -torch.inf])
@pytest.mark.parametrize("layer", [0, 1])
def test_the_weight_of_an_input_that_never_fires_is_looked_at(learn, value, layer, monkeypatch):
    """A list of spikes leaves it out of the product."""
    monkeypatch.setattr(currents, "_way", lambda rows, weight, share: "listed" if share < 1 else "float32")
    net = SpikingStack([100, 80, 100])
    spikes = (torch.rand(5, 7, 100, generator=torch.Generator().manual_seed(0)) < 0.1).float()
    spikes[..., 3] = 0
    with torch.no_grad():
        net.layers[0][0].weight[3] = 0  # nor does that neuron
        net.layers[layer][0].weight[5, 3] = value
        before = [weight.detach().clone() for weight in net.parameters()]
    with (
        kernels.use("numba", None if learn.__name__.startswith("online") else "listed"),
        pytest.raises(InputError, match=rf"finite weights, got -?(nan|inf) in `layers\.{layer}\.0\.weight`"),
    ):
        learn(net, spikes)
    assert all(torch.equal(a.nan_to_num(7), b.nan_to_num(7)) for a, b in zip(before, net.parameters(), strict=True))

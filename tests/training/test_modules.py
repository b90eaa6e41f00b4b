import copy
import functools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.cli import LightningCLI

from snn_synth.data import MelSpectrogram, SpectrogramAugmentation
from snn_synth.encoding import even_encode, low_discrepancy_encode, poisson_encode, sample_keys
from snn_synth.errors import InputError
from snn_synth.experiments.synthesis import Source, draw
from snn_synth.functional import rate_loss
from snn_synth.learning import online_step
from snn_synth.models import ACSNN, AESNN, AudioToImage, ConvACSNN
from snn_synth.training import LitAudiocoder, LitAutoencoder, MNISTSubsetData, ResumeCheckpoint, SpokenDigitsData
from snn_synth.training import speech as speech_module
from snn_synth.training.images import image_batch
from snn_synth.training.loaders import ImageBatch, SpeechBatch
from tests.processes import exit_codes
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer, write_fsdd

HELD_OUT = -1


def adamw(lr=0.01):
    return functools.partial(torch.optim.AdamW, lr=lr)


def one_cycle(max_lr=0.01):
    return functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=max_lr)


# Independent references: NumPy loops.


def lif(spikes, weight, alpha=0.1):
    """Spikes of a layer, from spikes [T, B, in]."""
    weight = weight.detach().numpy().astype(np.float64)
    membrane = np.zeros((spikes.shape[1], len(weight)))
    fired, out = np.zeros_like(membrane), []
    for step in spikes:
        membrane = (1 - alpha) * membrane * (1 - fired) + step @ weight.T
        fired = (membrane >= 1).astype(np.float64)
        out.append(fired)
    return np.stack(out)


def standardized_error(a, b):
    """The paper's MSE of one pair of maps."""
    z = [(x - x.mean()) / x.std() if x.std() else 0 * x for x in (a.astype(np.float64), b.astype(np.float64))]
    return ((z[0] - z[1]) ** 2).mean()


def encoded(values, steps, *key_parts):
    return poisson_encode(values.flatten(1), steps, keys=sample_keys(*key_parts)).numpy().astype(np.float64)


class Record(Callback):
    """Keeps what a module was given to learn from, and what its validation handed to callbacks."""

    def __init__(self):
        self.learned, self.validated = [], []

    def setup(self, trainer, pl_module, stage):
        if stage == "fit":
            learn = pl_module.learn

            def recorded(spikes, targets):
                self.learned.append((trainer.current_epoch, spikes.clone(), targets.clone()))
                return learn(spikes, targets)

            pl_module.learn = recorded

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.learned[-1] = (*self.learned[-1], batch)

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.validated.append((trainer.current_epoch, outputs, batch))


# Spoken digits


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Makes SpokenDigitsData on recordings that lie on the disk: one speaker, 12 takes of each digit."""
    folder = tmp_path_factory.mktemp("speech")
    root = write_fsdd(folder)

    def make(pairing="A", **settings):
        front_end = MelSpectrogram(channels=8, frames=10)
        options = {"images": "mnist_subset", "split": "random", "batch_size": 32, "root": root, "test_fraction": 0.25}
        return SpokenDigitsData(pairing=pairing, front_end=front_end, **(options | settings))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNN_SYNTH_CACHE", str(folder / "cache"))
        patch.setattr(speech_module, "load_images", functools.cache(speech_module.load_images))
        yield make


@pytest.fixture
def saved_autoencoder(tmp_path):
    firing_autoencoder(784, 16).save_pretrained(tmp_path / "ae")
    return str(tmp_path / "ae")


def audiocoder(saved_autoencoder, **settings):
    torch.manual_seed(2)
    network = ACSNN(80, 24, 16)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(6)
    options = {"hidden_steps": 3, "num_steps": 8, "optimizer": adamw()}
    return LitAudiocoder(network, autoencoder=saved_autoencoder, **(options | settings))


# Hyper-parameters and checkpoints


def is_plain(value):
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def with_settings():
    return LitAutoencoder(
        AESNN(12, 5, alpha=0.2),
        rule="online",
        num_steps=4,
        seed=7,
        optimizer=functools.partial(torch.optim.SGD, lr=0.25, momentum=0.5),
        lr_scheduler=functools.partial(torch.optim.lr_scheduler.StepLR, step_size=3, gamma=0.125),
    )


def assert_settings(module):
    """That a module is what with_settings() makes, weights aside."""
    assert (module.rule, module.num_steps, module.seed) == ("online", 4, 7)
    assert module.network.config == AESNN(12, 5, alpha=0.2).config
    optimizer = module.optimizer([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimizer) is torch.optim.SGD
    assert (optimizer.defaults["lr"], optimizer.defaults["momentum"]) == (0.25, 0.5)
    assert optimizer.defaults["weight_decay"] == 0  # SGD's own, not the default optimizer's
    scheduler = module.lr_scheduler(optimizer)
    assert type(scheduler) is torch.optim.lr_scheduler.StepLR
    assert (scheduler.step_size, scheduler.gamma) == (3, 0.125)
    assert is_plain(dict(module.hparams))


def run_and_save(module, folder, data=None, **settings):
    trainer = quiet_trainer(folder, max_epochs=1, callbacks=[ResumeCheckpoint()], **settings)
    trainer.fit(module, TinyImages() if data is None else data)
    return folder / "resume.ckpt"


def test_optimizer_and_scheduler_as_partials_survive_a_checkpoint(tmp_path):
    module = with_settings()
    assert_settings(module)
    again = LitAutoencoder.load_from_checkpoint(run_and_save(module, tmp_path), weights_only=True)
    assert_settings(again)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), module.parameters(), strict=True))
    third = LitAutoencoder.load_from_checkpoint(run_and_save(again, tmp_path), weights_only=True)
    assert_settings(third)  # also of a module that was loaded itself


YAML = """
model:
  network:
    class_path: snn_synth.models.AESNN
    init_args:
      inputs: 12
      hidden: 5
      alpha: 0.2
  rule: online
  num_steps: 4
  seed: 7
  optimizer:
    class_path: torch.optim.SGD
    init_args:
      lr: 0.25
      momentum: 0.5
  lr_scheduler:
    class_path: torch.optim.lr_scheduler.StepLR
    init_args:
      step_size: 3
      gamma: 0.125
"""


def test_optimizer_and_scheduler_from_yaml_survive_a_checkpoint(tmp_path):
    (tmp_path / "config.yaml").write_text(YAML)
    cli = LightningCLI(
        LitAutoencoder,
        run=False,
        auto_configure_optimizers=False,
        save_config_callback=None,
        args=["--config", str(tmp_path / "config.yaml"), "--model.rule", "online"],
        trainer_defaults={"accelerator": "cpu", "logger": False},
    )
    assert_settings(cli.model)
    again = LitAutoencoder.load_from_checkpoint(run_and_save(cli.model, tmp_path), weights_only=True)
    assert_settings(again)


def test_onecycle_from_yaml_gets_its_total_steps(tmp_path):
    config = (
        YAML.replace("StepLR", "OneCycleLR")
        .replace("step_size: 3", "max_lr: 0.5")
        .replace("gamma: 0.125", "pct_start: 0.5")
    )
    (tmp_path / "config.yaml").write_text(config)
    cli = LightningCLI(
        LitAutoencoder,
        run=False,
        auto_configure_optimizers=False,
        save_config_callback=None,
        args=["--config", str(tmp_path / "config.yaml")],
        trainer_defaults={"accelerator": "cpu", "logger": False},
    )
    trainer = quiet_trainer(tmp_path, max_epochs=2)
    trainer.fit(cli.model, TinyImages())
    assert trainer.lr_scheduler_configs[0].scheduler.total_steps == 10


def load_and_predict(folder):
    """What a process that never saw the modules makes of their checkpoints."""
    batches = torch.load(folder / "batches.pt", weights_only=True)
    found = {}
    for cls in (LitAutoencoder, LitAudiocoder):
        module = cls.load_from_checkpoint(folder / cls.__name__ / "resume.ckpt", weights_only=True)
        found[cls.__name__] = module.predict_step(SimpleNamespace(**batches[cls.__name__]))
    torch.save(found, folder / "found.pt")


@pytest.mark.slow
def test_a_fresh_process_loads_checkpoints_without_arguments_and_predicts_the_same(
    tmp_path, speech, saved_autoencoder, fresh_process
):
    data, images = speech("B"), TinyImages()
    modules = {"LitAutoencoder": with_settings(), "LitAudiocoder": audiocoder(saved_autoencoder)}
    run_and_save(modules["LitAutoencoder"], tmp_path / "LitAutoencoder", images)
    run_and_save(modules["LitAudiocoder"], tmp_path / "LitAudiocoder", data)
    Path(saved_autoencoder).rename(tmp_path / "moved")  # the checkpoint holds it
    batches = {"LitAutoencoder": images.batch(torch.arange(9)), "LitAudiocoder": data.batch(torch.arange(9))}
    torch.save({name: batch._asdict() for name, batch in batches.items()}, tmp_path / "batches.pt")
    process = fresh_process(load_and_predict, tmp_path)
    assert exit_codes(process) == [0]
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    for name, module in modules.items():
        with torch.no_grad():
            expected = module.predict_step(batches[name])
        assert expected.std() > 0
        assert torch.equal(found[name], expected)


def test_an_optimizer_that_no_checkpoint_can_hold_is_refused():
    with pytest.raises(InputError, match=r"Expected `optimizer` to be a class or functools\.partial.* got <function"):
        LitAutoencoder(AESNN(12, 5), optimizer=lambda parameters: torch.optim.Adam(parameters))
    with pytest.raises(InputError, match="Expected `lr_scheduler` to be a class"):
        LitAutoencoder(AESNN(12, 5), lr_scheduler=lambda optimizer: None)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"traces": "none"}, r"Expected `traces` of \['reset', 'leaky', 'instant'\], got 'none'"),
        ({"rule": "hebb"}, "Expected `rule` to be 'bptt' or 'online', got 'hebb'"),
        ({"num_steps": 0}, "Expected `num_steps` to be at least 1, got 0"),
        ({"code": "morse"}, r"Expected `code` of \['poisson', 'low-discrepancy', 'even'\], got 'morse'"),
        ({"max_rate": 1.5}, r"Expected `max_rate` in \(0, 1\], got 1.5"),
        ({"max_rate": 0}, r"Expected `max_rate` in \(0, 1\], got 0"),
        ({"neuron_share": 0}, "Expected `neuron_share` above 0, got 0"),
        ({"precision": "half"}, r"Expected `precision` of \['float32', 'mixed', 'bfloat16'\], got 'half'"),
        ({"chunk": 0}, "Expected a `chunk` of at least 1 .*, got 0 and truncate=False"),
        ({"truncate": True}, "Expected a `chunk` of at least 1 .*, got None and truncate=True"),
        ({"chunk": 2, "rule": "online"}, "Expected `chunk` with rule 'bptt' alone, got rule='online'"),
        ({"lr_interval": "year"}, r"Expected `lr_interval` of \['step', 'epoch'\], got 'year'"),
        ({"loss": "hinge"}, r"Expected `loss` of \['membrane', 'rate'\], got 'hinge'"),
        ({"loss": "rate", "rule": "online"}, "Expected the loss 'rate' with rule 'bptt', .*got rule='online'"),
        ({"loss": "rate", "chunk": 3}, "Expected the loss 'rate' with .*got rule='bptt', chunk=3"),
        ({"loss": "rate", "mask": False}, "Expected the loss 'rate' with .* mask=False"),
    ],
)
def test_wrong_settings(setting, sentence):
    with pytest.raises(InputError, match=sentence):
        LitAutoencoder(AESNN(12, 5), **setting)
    with pytest.raises(InputError, match=sentence):
        LitAudiocoder(ACSNN(80, 24, 16), **setting)


def test_settings_at_their_edges():
    for setting in ({"chunk": 1}, {"chunk": 1, "truncate": True}, {"mask": False}, {"num_steps": 1}, {"max_rate": 1}):
        for module in (LitAutoencoder(AESNN(12, 5), **setting), LitAudiocoder(ACSNN(80, 24, 16), **setting)):
            assert {name: getattr(module, name) for name in setting} == setting


# Optimization


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_onecycle_gets_total_steps_by_itself_in_batches(tmp_path, rule):
    module = LitAutoencoder(AESNN(12, 5), rule=rule, num_steps=4, optimizer=adamw(), lr_scheduler=one_cycle(0.5))
    trainer = quiet_trainer(tmp_path, max_epochs=3)
    trainer.fit(module, TinyImages())
    scheduler = trainer.lr_scheduler_configs[0].scheduler
    assert scheduler.total_steps == 3 * 5
    assert scheduler.last_epoch == 3 * 5
    assert trainer.global_step == 3 * 5


def test_total_steps_that_are_given_stay(tmp_path):
    scheduler = functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.5, total_steps=99)
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(LitAutoencoder(AESNN(12, 5), lr_scheduler=scheduler), TinyImages())
    assert trainer.lr_scheduler_configs[0].scheduler.total_steps == 99


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_the_scheduler_steps_once_per_batch(tmp_path, rule):
    halving = functools.partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)
    module = LitAutoencoder(AESNN(12, 5), rule=rule, num_steps=4, optimizer=adamw(1.0), lr_scheduler=halving)
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=3)
    trainer.fit(module, TinyImages())
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.125


def test_learned_neurons_have_a_share_of_the_rate_and_no_weight_decay(tmp_path):
    torch.manual_seed(0)
    network = AESNN(12, 5, reset="subtract", learned=True)
    module = LitAutoencoder(network, loss="rate", neuron_share=10, optimizer=adamw(), lr_scheduler=one_cycle())
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_val_batches=0)
    trainer.fit(module, TinyImages())
    weights, numbers = trainer.optimizers[0].param_groups
    assert {id(p) for p in weights["params"]} == {id(operator.weight) for operator, _ in network.layers}
    assert {id(p) for p in numbers["params"]} == {id(p) for _, neuron in network.layers for p in neuron.parameters()}
    assert (numbers["max_lr"], numbers["weight_decay"]) == pytest.approx((10 * weights["max_lr"], 0))
    for _, neuron in network.layers:
        assert (neuron.beta != 0.9).all()
        assert (neuron.threshold != 1).all()
    plain = LitAutoencoder(AESNN(12, 5), optimizer=adamw()).configure_optimizers()
    assert len(plain.param_groups) == 1
    with pytest.raises(InputError, match="Expected `neuron_share` above 0, got 0"):
        LitAutoencoder(network, neuron_share=0)


def test_the_loss_of_rates_is_the_one_that_is_learned(tmp_path):
    network = firing_autoencoder(12, 10)
    module = LitAutoencoder(network, loss="rate", num_steps=4, optimizer=functools.partial(torch.optim.SGD, lr=1e-3))
    data = TinyImages()
    batch = next(iter(data.train_dataloader()))
    spikes = module.encode(batch.images, batch.index, 0)
    expected = rate_loss(network(spikes).spikes, spikes).item()
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1)
    trainer.fit(module, data)
    assert trainer.callback_metrics["train/loss"].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("fresh", [True, False])
def test_online_takes_one_step_per_time_step_with_moments_fresh_for_each_batch(tmp_path, fresh):
    module = LitAutoencoder(AESNN(12, 5), rule="online", num_steps=4, fresh_moments=fresh, optimizer=adamw())
    updates = []
    module.on_before_optimizer_step = updates.append
    trainer = quiet_trainer(tmp_path, max_epochs=2)
    trainer.fit(module, TinyImages())
    assert len(updates) == 2 * 5 * 4
    assert trainer.global_step == 2 * 5, "the Trainer's steps are batches"
    (state,) = {int(state["step"]) for state in trainer.optimizers[0].state.values()}
    assert state == (4 if fresh else 2 * 5 * 4)


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("traces", ["reset", "leaky", "instant"])
def test_a_batch_is_learned_by_the_traces_that_were_asked_for(tmp_path, traces, watched):
    network = firing_autoencoder(12, 10)
    alike = copy.deepcopy(network)
    module = LitAutoencoder(network, rule="online", num_steps=8, traces=traces, optimizer=adamw())
    if watched:
        module.on_before_optimizer_step = lambda optimizer: None
    batch = next(iter(TinyImages().train_dataloader()))
    spikes = module.encode(batch.images, batch.index, 0)
    quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1).fit(module, TinyImages())
    online_step(alike, spikes, spikes, adamw()(alike.parameters()), traces=traces)
    for ours, expected in zip(network.parameters(), alike.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_bf16_mixed_trains_a_batch_close_to_float32(tmp_path, rule):
    results = {}
    for precision in ("32-true", "bf16-mixed"):
        network = firing_autoencoder(12, 10)
        module = LitAutoencoder(network, rule=rule, num_steps=4, optimizer=functools.partial(torch.optim.SGD, lr=1e-3))
        start = [weight.detach().clone() for weight in network.parameters()]
        trainer = quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1, precision=precision)
        trainer.fit(module, TinyImages())
        moves = torch.cat([(a - b).flatten() for a, b in zip(network.parameters(), start, strict=True)])
        results[precision] = trainer.callback_metrics["train/loss"].item(), moves.detach()
    (loss, moves), (half_loss, half_moves) = results.values()
    assert half_moves.dtype == torch.float32
    assert half_loss == pytest.approx(loss, rel=0.05)
    assert moves.norm() > 0
    assert (half_moves - moves).norm() < 0.2 * moves.norm()


# Encoding


def test_the_spikes_of_a_sample_depend_on_seed_epoch_and_index_alone(tmp_path):
    runs = []
    for batch_size in (10, 7):
        record = Record()
        trainer = quiet_trainer(tmp_path, max_epochs=2, callbacks=[record])
        trainer.fit(LitAutoencoder(AESNN(12, 5), num_steps=4, seed=6), TinyImages(batch_size))
        runs.append(
            {
                (epoch, int(place)): spikes[:, position]
                for epoch, spikes, _, batch in record.learned
                for position, place in enumerate(batch.index)
            }
        )
    first, second = runs
    assert first.keys() == second.keys() == {(epoch, place) for epoch in range(2) for place in range(45)}
    images = TinyImages().images
    for (epoch, place), spikes in first.items():
        assert torch.equal(spikes, second[epoch, place])
        alone = poisson_encode(images[[place]].flatten(1), 4, keys=sample_keys(6, epoch, torch.tensor([place])))
        assert torch.equal(spikes, alone[:, 0])
    assert not torch.equal(first[0, 0], first[1, 0])


def test_validation_spikes_are_the_same_in_every_epoch(tmp_path):
    record = Record()
    trainer = quiet_trainer(tmp_path, max_epochs=2, callbacks=[record])
    trainer.fit(LitAutoencoder(AESNN(12, 5), num_steps=4), TinyImages())
    epochs = [
        torch.cat([outputs["spikes"]["input"] for e, outputs, _ in record.validated if e == epoch], 1)
        for epoch in range(2)
    ]
    assert epochs[0].shape == (4, 25, 12)
    assert torch.equal(*epochs)


def test_max_rate_scales_the_spikes(tmp_path):
    record = Record()
    trainer = quiet_trainer(tmp_path, max_epochs=1, callbacks=[record])
    trainer.fit(LitAutoencoder(AESNN(12, 5), num_steps=200, max_rate=0.5), TinyImages())
    _, spikes, _, batch = record.learned[0]
    assert spikes.mean().item() == pytest.approx(0.5 * batch.images.mean().item(), abs=0.01)


# Metrics


@pytest.mark.parametrize("stage", ["val", "test"])
def test_autoencoder_metrics_equal_a_plain_computation_over_the_whole_set(tmp_path, stage):
    network = firing_autoencoder(12, 10)
    module = LitAutoencoder(network, num_steps=9, seed=3)
    data, trainer = TinyImages(), quiet_trainer(tmp_path)
    run = trainer.validate if stage == "val" else trainer.test
    (logged,) = run(module, data, verbose=False)

    images = data.images[data.test_index]
    spikes = encoded(images, 9, 3, HELD_OUT, data.test_index)
    encoder, decoder = network.parameters()
    out = lif(lif(spikes, encoder), decoder)
    pixels = images.flatten(1).numpy()
    mse = np.mean([standardized_error(out[:, i].sum(0), pixels[i]) for i in range(25)])
    spike_mse = np.mean([standardized_error(out[:, i].sum(0), spikes[:, i].sum(0)) for i in range(25)])
    assert 0 < out.mean() < 1
    assert logged == {
        f"{stage}/standardized_mse": pytest.approx(mse, abs=1e-6),
        f"{stage}/spike_mse": pytest.approx(spike_mse, abs=1e-6),
    }
    predicted = torch.cat(trainer.predict(module, data))
    assert predicted.shape == (25, 1, 3, 4)
    np.testing.assert_allclose(predicted.flatten(1).numpy(), out.mean(0), atol=1e-6)


@pytest.mark.parametrize("pairing", ["A", "B"])
def test_audiocoder_test_metrics_equal_a_plain_loop_over_all_training_images(
    tmp_path, speech, saved_autoencoder, pairing
):
    data, module = speech(pairing), audiocoder(saved_autoencoder, num_steps=10, seed=5)
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(module, data)
    (logged,) = trainer.test(module, data, verbose=False)

    autoencoder = AESNN.from_pretrained(saved_autoencoder)
    first, second = module.network.parameters()
    decoder = list(autoencoder.parameters())[1]
    spikes = encoded(data.spectrograms[data.test_index], 10, 5, HELD_OUT, data.test_index)
    drawn = lif(lif(lif(spikes, first), second), decoder).sum(0)
    assert drawn.std() > 0
    if pairing == "A":
        images = torch.stack([data.image_set.images[data.image_set.labels == digit][0] for digit in range(10)])
        image_labels = torch.arange(10)
        assert data.gallery.shape == (10, 1, 28, 28)
    else:  # the images that training utterances are paired with
        images = (data.gallery[data.image_of[data.train_index]] * 255).round()
        image_labels = data.corpus.labels[data.train_index]
        assert len(images) == len(data.train_index)
    images = images.reshape(-1, 784).numpy() / 255

    mse, spike_mse, nearest_class = [], [], []
    for one, label in zip(drawn, data.corpus.labels[data.test_index], strict=True):
        errors = np.array([standardized_error(one, image) for image in images])
        own = np.flatnonzero(image_labels.numpy() == int(label))
        best = own[errors[own].argmin()]
        mse.append(errors[best])
        nearest_class.append(int(image_labels[errors.argmin()]) == int(label))
        shown = encoded(torch.tensor(images[[best]], dtype=torch.float32), 10, 5, torch.tensor([best]))
        spike_mse.append(standardized_error(one, shown[:, 0].sum(0)))
    assert logged == {
        "test/standardized_mse": pytest.approx(np.mean(mse), abs=1e-5),
        "test/spike_mse": pytest.approx(np.mean(spike_mse), abs=1e-5),
        "test/nearest_class": pytest.approx(np.mean(nearest_class)),
    }
    predicted = torch.cat(trainer.predict(module, data))
    np.testing.assert_allclose(predicted.flatten(1).numpy(), drawn / 10, atol=1e-6)


# Audiocoder


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_targets_are_the_autoencoders_first_hidden_maps_shown_again_and_again(
    tmp_path, speech, saved_autoencoder, rule
):
    data, module, record = speech("B"), audiocoder(saved_autoencoder, rule=rule, seed=5), Record()
    quiet_trainer(tmp_path, max_epochs=1, callbacks=[record]).fit(module, data)
    encoder = next(AESNN.from_pretrained(saved_autoencoder).parameters())
    gallery = data.gallery
    maps = lif(encoded(gallery, 20, 5, torch.arange(len(gallery))), encoder)  # 20 steps, of which 3 are stored
    assert 0 < maps[:3].mean() < 1
    learned = 0
    for _, _, targets, batch in record.learned:
        paired = data.image_of[batch.index]
        assert torch.equal(paired, batch.image)
        for t in range(8):
            np.testing.assert_array_equal(targets[t].numpy(), maps[t % 3][paired])
        learned += len(batch.index)
    assert learned == len(data.train_index) // data.batch_size * data.batch_size


def test_training_alone_varies_the_spectrograms_by_seed_epoch_and_sample(tmp_path, speech, saved_autoencoder):
    augmentation = SpectrogramAugmentation(strength=0.5)
    data, record = speech(), Record()
    module = audiocoder(saved_autoencoder, augmentation=augmentation, seed=5)
    trainer = quiet_trainer(tmp_path, max_epochs=2, callbacks=[record])
    trainer.fit(module, data)
    assert {epoch for epoch, *_ in record.learned} == {0, 1}
    for epoch, spikes, _, batch in record.learned:
        shown = augmentation(batch.spectrograms, sample_keys(5, epoch, batch.index, 1))
        assert not torch.equal(shown, batch.spectrograms)
        np.testing.assert_array_equal(spikes.numpy(), encoded(shown, 8, 5, epoch, batch.index))
    for _, outputs, batch in record.validated:
        heard = encoded(batch.spectrograms, 8, 5, HELD_OUT, batch.index)
        np.testing.assert_array_equal(outputs["spikes"]["input"].numpy(), heard)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitAudiocoder.load_from_checkpoint(tmp_path / "a.ckpt")
    assert again.augmentation.config() == augmentation.config()
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    for wrong in ({"class_path": "os.system", "init_args": {"command": "ls"}}, {"class_path": "x", "init_args": 7}):
        content["hyper_parameters"]["augmentation"] = wrong
        torch.save(content, tmp_path / "b.ckpt")
        with pytest.raises(InputError, match="SpectrogramAugmentation that has been imported and its settings"):
            LitAudiocoder.load_from_checkpoint(tmp_path / "b.ckpt")
    content["hyper_parameters"]["augmentation"] = augmentation.config() | {"init_args": {"strength": "much"}}
    torch.save(content, tmp_path / "b.ckpt")
    with pytest.raises(InputError, match="`strength` to be float, got 'much'"):
        LitAudiocoder.load_from_checkpoint(tmp_path / "b.ckpt")


def test_direct_coding_trains_on_a_constant_current(tmp_path, speech, saved_autoencoder):
    """The same weights as on those values at each step, though the first product is computed once; tests see spikes."""
    data, record = speech(), Record()
    module = audiocoder(saved_autoencoder, direct=True, train_steps=5, max_rate=0.5, loss="rate", seed=5)
    before = copy.deepcopy(module.network)
    quiet_trainer(tmp_path, max_epochs=1, callbacks=[record]).fit(module, data)
    _, inputs, targets, batch = record.learned[0]
    assert inputs.shape == (5, len(batch.index), 80)
    for step in inputs:
        torch.testing.assert_close(step, 0.5 * batch.spectrograms.flatten(1))
    slow = before(inputs.contiguous())
    rate_loss(slow.spikes, targets).backward()
    expected = [weight.grad.clone() for weight in before.parameters()]
    before.zero_grad()
    once = before(inputs)
    assert torch.equal(once.spikes, slow.spikes)
    rate_loss(once.spikes, targets).backward()
    for weight, gradient in zip(before.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-4, atol=1e-6)
    for _, outputs, heard in record.validated:
        spikes = encoded(0.5 * heard.spectrograms, 8, 5, HELD_OUT, heard.index)
        np.testing.assert_array_equal(outputs["spikes"]["input"].numpy(), spikes)


def test_the_loss_of_rates_learns_the_whole_maps_rates_in_fewer_steps(tmp_path, speech, saved_autoencoder):
    data, record = speech(), Record()
    module = audiocoder(saved_autoencoder, hidden_steps=12, train_steps=5, direct=True, loss="rate", seed=5)
    quiet_trainer(tmp_path, max_epochs=1, callbacks=[record]).fit(module, data)
    encoder = next(AESNN.from_pretrained(saved_autoencoder).parameters())
    maps = lif(encoded(data.gallery, 12, 5, torch.arange(len(data.gallery))), encoder)
    assert not np.allclose(maps[:5].mean(0), maps.mean(0))
    for _, _, targets, batch in record.learned:
        assert len(targets) == 5
        for step in targets:
            np.testing.assert_allclose(step.numpy(), maps.mean(0)[batch.image], atol=1e-6)


@pytest.mark.parametrize("direct", [True, False])
def test_training_may_have_fewer_steps_and_the_values_as_a_constant_input(tmp_path, speech, saved_autoencoder, direct):
    data, record = speech(), Record()
    module = audiocoder(saved_autoencoder, train_steps=5, direct=direct, max_rate=0.5, seed=5)
    quiet_trainer(tmp_path, max_epochs=1, callbacks=[record]).fit(module, data)
    _, shown, targets, batch = record.learned[0]
    keys = sample_keys(5, 0, batch.index)
    spikes = poisson_encode(batch.spectrograms.flatten(1), 5, 0.5, keys=keys)
    assert torch.equal(shown, 0.5 * batch.spectrograms.flatten(1).expand(5, -1, -1) if direct else spikes)
    assert len(targets) == 5
    assert record.validated[0][1]["spikes"]["input"].shape[0] == 8
    assert set(record.validated[0][1]["spikes"]["input"].unique().tolist()) == {0.0, 1.0}


def test_batch_norm_averages_in_training_and_keeps_still_else(tmp_path, speech, saved_autoencoder):
    torch.manual_seed(2)
    network = ConvACSNN(8, 10, [4], 16)
    network.save_pretrained(tmp_path / "net")
    module = LitAudiocoder(ConvACSNN.from_pretrained(tmp_path / "net"), saved_autoencoder, num_steps=8, hidden_steps=3)
    trainer, data = quiet_trainer(tmp_path, max_epochs=1), speech()
    trainer.fit(module, data)
    norm = module.network.layers[0][0].norm
    assert norm.num_batches_tracked == len(data.train_dataloader())
    trainer.test(module, data, verbose=False)
    drawn = trainer.predict(module, data)[0]
    assert norm.num_batches_tracked == len(data.train_dataloader())
    folded = AudioToImage(module.network.folded(), module.autoencoder)
    batch = data.batch(data.test_index[: data.batch_size])
    keys = sample_keys(module.seed, HELD_OUT, batch.index)
    torch.testing.assert_close(folded.synthesize(batch.spectrograms, 8, keys=keys), drawn)


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_the_autoencoder_does_not_move_and_the_audiocoder_does(tmp_path, speech, saved_autoencoder, rule):
    module = audiocoder(saved_autoencoder, rule=rule)
    before = [weight.detach().clone() for weight in module.network.parameters()]
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=2)
    trainer.fit(module, speech())
    saved = AESNN.from_pretrained(saved_autoencoder)
    assert all(torch.equal(a, b) for a, b in zip(module.autoencoder.parameters(), saved.parameters(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(module.network.parameters(), before, strict=True))
    optimized = {id(p) for group in trainer.optimizers[0].param_groups for p in group["params"]}
    assert optimized == {id(p) for p in module.network.parameters()}


def test_an_autoencoder_comes_from_a_checkpoint_too(tmp_path, speech):
    trained = LitAutoencoder(firing_autoencoder(784, 16), num_steps=2)
    data = TinyImages()
    data.images = torch.rand(70, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    path = run_and_save(trained, tmp_path / "ae", data, limit_train_batches=1)
    module = audiocoder(str(path))
    quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1, limit_val_batches=0).fit(module, speech())
    pairs = zip(module.autoencoder.parameters(), trained.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_without_an_autoencoder_one_is_trained_first_and_saved(tmp_path, speech):
    data = speech()
    data.prepare_data()
    data.setup("fit")
    data.image_set = copy.copy(data.image_set)
    data.image_set.images, data.image_set.labels = data.image_set.images[:300], data.image_set.labels[:300]
    module = audiocoder(None, seed=5)
    quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1, limit_val_batches=0).fit(module, data)
    saved = AESNN.from_pretrained(tmp_path / "autoencoder")
    assert saved.sizes == [784, 16, 784]
    assert all(torch.equal(a, b) for a, b in zip(module.autoencoder.parameters(), saved.parameters(), strict=True))
    torch.manual_seed(5)
    assert not torch.equal(next(saved.parameters()), next(AESNN(784, 16).parameters()))  # it was trained


def test_wrong_sizes_are_said_before_anything_is_trained(tmp_path, speech, saved_autoencoder):
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    with pytest.raises(InputError, match=r"Expected an audiocoder with 80 inputs .*\[8, 10\], got 81"):
        trainer.fit(LitAudiocoder(ACSNN(81, 24, 16)), speech())
    assert not (tmp_path / "autoencoder").exists()
    with pytest.raises(InputError, match=r"Expected an audiocoder with 16 outputs.* got 17"):
        trainer.fit(LitAudiocoder(ACSNN(80, 24, 17), autoencoder=saved_autoencoder), speech())
    with pytest.raises(InputError, match=r"Expected spikes of shape \[T, B, 10\], got \[15, 10, 12\]"):
        trainer.fit(LitAutoencoder(AESNN(10, 5)), TinyImages())


def test_a_missing_datamodule_is_said(tmp_path, speech, saved_autoencoder):
    data = speech()
    data.prepare_data()
    data.setup("fit")
    with pytest.raises(
        InputError, match="Expected a SpokenWordsData, SHDData or SSCData as `datamodule`, got NoneType"
    ):
        quiet_trainer(tmp_path, max_epochs=1).fit(audiocoder(saved_autoencoder), data.train_dataloader())
    with pytest.raises(
        InputError, match="Expected a SpokenWordsData, SHDData or SSCData as `datamodule`, got TinyImages"
    ):
        quiet_trainer(tmp_path, max_epochs=1).fit(audiocoder(saved_autoencoder), TinyImages())


def test_the_front_end_is_in_the_checkpoint(tmp_path, speech, saved_autoencoder):
    data = speech()
    path = run_and_save(audiocoder(saved_autoencoder), tmp_path, data, limit_train_batches=1)
    again = LitAudiocoder.load_from_checkpoint(path, weights_only=True)
    assert again.front_end == data.front_end.config()
    assert json.loads(json.dumps(again.front_end)) == again.front_end


def test_a_second_test_loader_is_of_heard_voices(tmp_path, speech, saved_autoencoder):
    data, module = speech(), audiocoder(saved_autoencoder)
    quiet_trainer(tmp_path, max_epochs=1).fit(module, data)
    loaders = [data._loader(index) for index in (data.test_index, data.validation_index)]

    def measured(loader):
        data.test_dataloader = lambda: loader
        return quiet_trainer(tmp_path).test(module, data, verbose=False)

    for found, loader, stage in zip(measured(loaders), loaders, ("test", "heard"), strict=True):
        (alone,) = measured(loader)
        assert found == {name.replace("test", stage): value for name, value in alone.items()}
    assert list(found) == ["heard/standardized_mse", "heard/spike_mse", "heard/nearest_class"]


def test_predict_goes_through_the_whole_test_set_in_order(tmp_path):
    torch.manual_seed(0)
    module, data = LitAutoencoder(AESNN(784, 8), num_steps=3), MNISTSubsetData(batch_size=150)
    drawn = torch.cat(quiet_trainer(tmp_path).predict(module, data))
    assert drawn.shape == (500, 1, 28, 28)
    (alone,) = module.predict_step(image_batch(data.test_set, torch.tensor([321])))
    assert torch.equal(drawn[321], alone)


@pytest.mark.parametrize(("code", "encode"), [("even", even_encode), ("low-discrepancy", low_discrepancy_encode)])
def test_the_code_of_training_holds_when_drawing_too(code, encode):
    module = LitAudiocoder(ACSNN(80, 24, 16), num_steps=40, max_rate=0.5, code=code)
    module.adopt(AESNN(784, 16))
    values = torch.rand(2, 8, 10, generator=torch.Generator().manual_seed(0))
    batch = SpeechBatch(values, torch.zeros(2), torch.arange(2), torch.zeros(2))
    seen = []
    module.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    module.predict_step(batch)
    keys = sample_keys(module.seed, HELD_OUT, batch.index)
    assert torch.equal(seen[0], encode(values.flatten(1), 40, 0.5, keys=keys))
    draw(Source(module.audio_to_image(), 40, module.max_rate, code=module.code), batch.spectrograms[0])
    assert ((seen[1].sum(0) - 20 * values[0].flatten()).abs() < 4).all()  # Poisson's counts would be off by 10
    autoencoder = LitAutoencoder(AESNN(12, 5), num_steps=9, code=code)
    images = torch.rand(3, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    keys = sample_keys(0, HELD_OUT, torch.arange(3))
    drawn = autoencoder.network.reconstruct(images, 9, keys=keys, code=code)
    assert torch.equal(autoencoder.predict_step(ImageBatch(images, torch.zeros(3), torch.arange(3))), drawn)


def test_a_lower_rate_of_training_holds_when_drawing_too():
    module = LitAudiocoder(ACSNN(80, 24, 16), num_steps=40, max_rate=0.25)
    module.adopt(AESNN(784, 16))
    seen = []
    module.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].mean().item()))
    batch = SpeechBatch(torch.ones(2, 8, 10), torch.zeros(2), torch.arange(2), torch.zeros(2))
    module.predict_step(batch)
    draw(Source(module.audio_to_image(), num_steps=40, max_rate=module.max_rate), batch.spectrograms[0])
    assert seen == pytest.approx([0.25, 0.25], abs=0.05)


def test_the_time_steps_of_each_module_if_none_are_given():
    """The paper's: 15 for the autoencoder, 30 for the audiocoder; what a checkpoint remembers is the same."""
    for module, num_steps in ((LitAutoencoder(AESNN(4, 3)), 15), (LitAudiocoder(ACSNN(5, 4, 3)), 30)):
        assert module.num_steps == module.hparams["num_steps"] == num_steps

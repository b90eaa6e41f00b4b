"""What an untrusted checkpoint can do here: nothing but fill weights. Each exploit works where it is not stopped."""

import copy
import functools
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import instantiate_module
from torch.optim.lr_scheduler import LRScheduler

from snn_synth.errors import InputError
from snn_synth.models import ACSNN, AESNN
from snn_synth.training import (
    AtomicCheckpointIO,
    LitAudiocoder,
    LitAutoencoder,
    MNISTSubsetData,
    ResumeCheckpoint,
    SpokenDigitsData,
    hparams,
)
from snn_synth.training.reading import load
from tests.cli.conftest import save
from tests.fuzz.harness import bounded
from tests.training.tiny import TinyImages, quiet_trainer


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a checkpoint of a LitAutoencoder holds."""
    folder = tmp_path_factory.mktemp("run")
    trainer = quiet_trainer(folder, max_epochs=1, callbacks=[ResumeCheckpoint()])
    trainer.fit(LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages())
    return torch.load(folder / "resume.ckpt", weights_only=True)


@pytest.fixture
def forged(whole, tmp_path):
    """Writes a checkpoint with other hyper-parameters."""

    def make(**hyper_parameters):
        content = copy.deepcopy(whole)
        content["hyper_parameters"] |= hyper_parameters
        torch.save(content, tmp_path / "forged.ckpt")
        return tmp_path / "forged.ckpt"

    return make


def sentence(call):
    with pytest.raises(InputError) as caught, bounded():
        call()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


def shell(witness):
    return {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", str(witness)]}}


def test_an_optimizer_of_a_checkpoint_is_a_description_until_it_trains(forged, tmp_path):
    """This is what snn-synth did before: Lightning follows `_instantiator`, and jsonargparse makes what is named."""
    witness = tmp_path / "it ran"
    command = {"class_path": "os.system", "init_args": {"command": f"touch '{witness}'"}}
    path = forged(optimizer=command, lr_scheduler=command, _instantiator="lightning.pytorch.cli.instantiate_module")
    module = LitAutoencoder.load_from_checkpoint(path)
    assert module.network.sizes == [12, 3, 12]
    assert "'os.system'" in sentence(lambda: quiet_trainer(tmp_path, max_epochs=1).fit(module, TinyImages()))
    assert not witness.exists()
    hyper_parameters = torch.load(path, weights_only=True)["hyper_parameters"]
    del hyper_parameters["_instantiator"]
    with warnings.catch_warnings():  # jsonargparse's, which says that it will refuse that one day
        warnings.simplefilter("ignore")
        instantiate_module(LitAutoencoder, hyper_parameters)
    assert witness.exists(), "the test needs a checkpoint that would have run"


@pytest.mark.parametrize("name", ["network", "seed", "rule", "num_steps", "optimizer", "lr_scheduler", "mask", "more"])
def test_nothing_that_any_hyper_parameter_names_is_made(name, forged, tmp_path):
    witness = tmp_path / "it ran"
    path = forged(**{name: shell(witness)})
    with pytest.raises(InputError):
        quiet_trainer(tmp_path, max_epochs=1).fit(LitAutoencoder.load_from_checkpoint(path), TinyImages())
    assert not witness.exists()
    subprocess.Popen(**shell(witness)["init_args"]).wait()
    assert witness.exists()


def test_no_module_is_imported(forged, tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text("raise SystemExit('it ran')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    names = {"class_path": "evil_module.AESNN", "init_args": {"inputs": 12, "hidden": 3}}
    assert LitAutoencoder.load_from_checkpoint(forged(network=names)).network.sizes == [12, 3, 12]  # by its name: ours
    assert "it is of a LitEvil" in sentence(
        lambda: LitAutoencoder.load_from_checkpoint(forged(_class_path="evil_module.LitEvil"))
    )
    module = LitAutoencoder.load_from_checkpoint(forged(optimizer={"class_path": "evil_module.Adam"}))
    assert "evil_module.Adam" in sentence(lambda: module.optimizer([]))
    assert "evil_module" not in sys.modules
    with pytest.raises(SystemExit, match="it ran"):
        __import__("evil_module")


def test_an_instantiator_is_not_followed(forged):
    path = forged(_instantiator="os.system")
    assert LitAutoencoder.load_from_checkpoint(path).num_steps == 2


def nested(depth):
    value = [0]
    for _ in range(depth):
        value = [value, value]
    return value


def itself():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"network": {"class_path": "AESNN", "init_args": {"inputs": 54_000, "hidden": 54_000}}}, "fit a file of"),
        ({"network": {"class_path": "AESNN", "init_args": {"inputs": "many"}}}, "`inputs` to be int, got 'many'"),
        ({"network": {"class_path": "AESNN", "init_args": {"inputs": 2**70}}}, "`inputs` to be int"),
        ({"network": {"class_path": "AESNN", "init_args": {"alpha": float("nan")}}}, "`alpha` to be float, got nan"),
        ({"network": {"class_path": "AESNN", "init_args": [1]}}, "AESNN"),
        ({"network": {"class_path": "ACSNN", "init_args": {}}}, "Expected a saved SpikingAutoencoder, got a ACSNN"),
        ({"network": None}, "network"),
        ({"num_steps": 0}, "num_steps"),
        ({"seed": nested(60)}, "too deep"),
        ({"seed": itself()}, "refers to itself"),
    ],
)
def test_settings_that_are_none_end_in_a_sentence(changes, named, forged):
    path = forged(**changes)
    message = sentence(lambda: LitAutoencoder.load_from_checkpoint(path))
    assert named in message
    assert str(path) in message


def test_weights_that_are_shown_larger_than_they_are(whole, tmp_path):
    """A tensor of one number may have any shape: its size in memory counts."""
    size = 30_000
    content = copy.deepcopy(whole)
    content["hyper_parameters"]["network"]["init_args"] |= {"inputs": size, "hidden": size}
    content["state_dict"] = {
        name: torch.zeros(()).expand(size, size) if "weight" in name else value
        for name, value in content["state_dict"].items()
    }
    torch.save(content, tmp_path / "wide.ckpt")
    assert (tmp_path / "wide.ckpt").stat().st_size < 100_000
    assert "fit a file of" in sentence(lambda: LitAutoencoder.load_from_checkpoint(tmp_path / "wide.ckpt"))


@pytest.mark.parametrize("value", [b"c__builtin__\nbytearray\n", b"ctorch\nTensor\n"])
def test_what_pickle_would_allocate(value, whole, tmp_path):
    """Both may stand in a file that torch.load(weights_only=True) reads, and take the memory that they are told."""
    torch.save(whole, tmp_path / "whole.ckpt")
    with zipfile.ZipFile(tmp_path / "whole.ckpt") as old, zipfile.ZipFile(tmp_path / "large.ckpt", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("data.pkl"):
                content = content[:-1] + b"X\x01\x00\x00\x00a" + value + b"J\x00\x00\x00\x60\x85Rs."
            new.writestr(name, content)
    assert "objects other than tensors and plain data" in sentence(lambda: load(tmp_path / "large.ckpt"))
    with pytest.raises((MemoryError, RuntimeError)), bounded():
        torch.load(tmp_path / "large.ckpt", weights_only=True)


def test_a_compressed_archive_is_refused(whole, tmp_path):
    torch.save(whole, tmp_path / "whole.ckpt")
    with (
        zipfile.ZipFile(tmp_path / "whole.ckpt") as old,
        zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr("archive/data/99", bytes(2**24))
    assert (tmp_path / "bomb.ckpt").stat().st_size < 2**17
    assert "compressed" in sentence(lambda: load(tmp_path / "bomb.ckpt"))


@pytest.fixture
def audiocoder(tmp_path):
    module = LitAudiocoder(ACSNN(80, 6, 12))
    module.adopt(AESNN(784, 12))
    return save(module, tmp_path / "audiocoder.ckpt")


@pytest.mark.parametrize(
    ("autoencoder", "named"),
    [
        ({"model": "AESNN", "arguments": {"inputs": 2_000_000, "hidden": 12}}, "AudioToImage|fit a file of|pixels"),
        ({"model": "Popen", "arguments": {"args": "ls"}}, "Popen"),
        ([1], "description"),
        ({"model": "AEANN", "arguments": {}}, "Expected a saved SpikingAutoencoder, got a AEANN"),
    ],
)
def test_an_autoencoder_in_a_checkpoint_is_as_little_believed(autoencoder, named, audiocoder):
    content = torch.load(audiocoder, weights_only=True)
    torch.save(content | {"autoencoder": autoencoder}, audiocoder)
    message = sentence(lambda: LitAudiocoder.load_from_checkpoint(audiocoder))
    assert any(word in message for word in named.split("|"))


def test_data_of_a_checkpoint_is_made_again_without_code(tmp_path):
    module, data = LitAutoencoder(AESNN(784, 4)), MNISTSubsetData(batch_size=7)
    trainer = quiet_trainer(tmp_path, max_steps=1, limit_val_batches=0)
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    assert MNISTSubsetData.load_from_checkpoint(tmp_path / "a.ckpt").batch_size == 7
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    front_end = shell(tmp_path / "it ran")
    content["datamodule_hyper_parameters"] = {"front_end": front_end, "_class_path": "SpokenDigitsData"}
    torch.save(content, tmp_path / "a.ckpt")
    assert "front end" in sentence(lambda: SpokenDigitsData.load_from_checkpoint(tmp_path / "a.ckpt"))
    assert not (tmp_path / "it ran").exists()


def test_reading_a_checkpoint_downloads_no_corpus_that_it_names(tmp_path, monkeypatch):
    monkeypatch.setattr("snn_synth.data.speech_commands.fetch", lambda *_, **__: pytest.fail("it was downloaded"))
    module, data = LitAutoencoder(AESNN(784, 4)), MNISTSubsetData()
    trainer = quiet_trainer(tmp_path, max_steps=1, limit_val_batches=0)
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    corpus = {"class_path": "snn_synth.data.SpeechCommands", "init_args": {"root": str(tmp_path), "download": True}}
    content["datamodule_hyper_parameters"] = {"corpus": corpus, "_class_path": "SpokenDigitsData"}
    torch.save(content, tmp_path / "a.ckpt")
    assert "speech_commands" in sentence(lambda: SpokenDigitsData.load_from_checkpoint(tmp_path / "a.ckpt"))


# What Lightning restores when a run goes on


class Run:
    """A run with a best checkpoint, and another that goes on from a forged one."""

    def __init__(self, folder, monitor="train/loss"):
        self.folder, self.monitor = folder / "run", monitor
        self.fit()

    def fit(self, ckpt_path=None, epochs=1, checkpoint_io=None):
        keep = ModelCheckpoint(self.folder, filename="best-{epoch}", monitor=self.monitor, mode="max", save_top_k=1)
        settings = {"callbacks": [keep, ResumeCheckpoint()], "plugins": [checkpoint_io or AtomicCheckpointIO()]}
        trainer = quiet_trainer(self.folder, max_epochs=epochs, **settings)
        trainer.fit(LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages(), ckpt_path=ckpt_path)
        return keep

    def forge(self, **state):
        path = self.folder / "resume.ckpt"
        content = torch.load(path, weights_only=True)
        (key,) = (key for key in content["callbacks"] if key.startswith("ModelCheckpoint"))
        content["callbacks"][key] |= state
        torch.save(content, path)
        return path


@pytest.mark.parametrize("how", ["detour", "protocol", "link"])
def test_a_resumed_run_removes_nothing_outside_of_its_folder(how, tmp_path, monkeypatch):
    run, precious = Run(tmp_path), tmp_path / "precious.ckpt"
    precious.mkdir()
    (precious / "thesis.txt").write_text("mine")
    name = {
        "detour": str(run.folder / ".." / "precious.ckpt"),
        "protocol": f"local://{precious}",
        "link": str(run.folder / "link.ckpt"),
    }[how]
    (run.folder / "link.ckpt").symlink_to(precious)
    worst = torch.tensor(-1e9)
    state = {"best_k_models": {name: worst}, "kth_best_model_path": name, "kth_value": worst}
    run.forge(best_model_path="", best_model_score=worst, **state)
    with pytest.warns(match="names files as its own that are not"):
        run.fit(run.folder / "resume.ckpt", epochs=2)
    assert (precious / "thesis.txt").read_text() == "mine"
    if how != "link":  # a link would be removed itself
        run.forge(best_model_path="", best_model_score=worst, **state)
        monkeypatch.setattr("snn_synth.training.base.keep_to_own_files", lambda *args: None)
        run.fit(run.folder / "resume.ckpt", epochs=3)
        assert precious.exists(), "the plugin removes no folder either"
        run.forge(best_model_path="", best_model_score=worst, **state)
        monkeypatch.delattr(AtomicCheckpointIO, "remove_checkpoint")
        run.fit(run.folder / "resume.ckpt", epochs=4)
        assert not precious.exists(), "the test needs a checkpoint that would have removed it"


@pytest.mark.parametrize("guarded", [True, False])
def test_nor_by_the_keys_of_an_old_version(guarded, tmp_path, monkeypatch):
    """Those of before 1.5 become a state under the class itself, which ModelCheckpoint takes for its own."""
    run, precious = Run(tmp_path, monitor=None), tmp_path / "precious"
    precious.mkdir()
    content = torch.load(run.folder / "resume.ckpt", weights_only=True)
    del content["loops"]
    content |= {"callbacks": {}, "pytorch-lightning_version": "0.9.0", "checkpoint_callback_best_model_score": None}
    content["checkpoint_callback_best_model_path"] = f"local://{precious}"
    torch.save(content, run.folder / "resume.ckpt")
    if not guarded:
        monkeypatch.setattr("snn_synth.training.base.keep_to_own_files", lambda *args: None)
        monkeypatch.delattr(AtomicCheckpointIO, "remove_checkpoint")
    run.fit(run.folder / "resume.ckpt", epochs=2)
    assert precious.exists() == guarded


@pytest.mark.parametrize(
    "path", ["http://127.0.0.1:9/evil.ckpt", "/etc/passwd", 7, ["x"], "~/x.ckpt", "local:///x.ckpt", "notes.txt"]
)
def test_a_resumed_run_believes_no_path_of_the_best_checkpoint(path, tmp_path, monkeypatch):
    run = Run(tmp_path)
    monkeypatch.chdir(run.folder)  # where `~` and `local:` would be folders of the run, if they were no more
    with pytest.warns(match="names files as its own that are not"):
        keep = run.fit(run.forge(best_model_path=path), epochs=2)
    assert Path(keep.best_model_path).parent == run.folder


def test_a_resumed_run_believes_no_list_of_its_best_files(tmp_path):
    run = Run(tmp_path)
    with pytest.warns(match="names files as its own that are not"):
        run.fit(run.forge(best_k_models=["x"]), epochs=2)


def test_what_lies_beside_the_checkpoint_is_a_runs_own_when_it_goes_on_in_another_folder(tmp_path, recwarn):
    run = Run(tmp_path)
    path, best = run.folder / "resume.ckpt", next(run.folder.glob("best-*.ckpt"))
    run.folder = tmp_path / "elsewhere"
    keep = run.fit(path, epochs=1)
    assert not [w for w in recwarn if "names files" in str(w.message)]
    assert keep.best_model_path == str(best)


@pytest.mark.parametrize("score", ["7", [1.0], torch.zeros(2)])
def test_a_resumed_run_believes_no_score_that_is_not_one_number(score, tmp_path):
    run = Run(tmp_path)
    with pytest.warns(match="names files as its own that are not"):
        keep = run.fit(run.forge(best_model_score=score), epochs=2)
    assert keep.best_model_score.numel() == 1


@pytest.mark.parametrize("score", [None, torch.tensor(0.5)])
def test_a_run_that_has_no_score_yet_knows_its_own_files_too(score, tmp_path, recwarn):
    run = Run(tmp_path)
    run.fit(run.forge(best_model_score=score), epochs=2)
    assert not [w for w in recwarn if "names files" in str(w.message)]


def test_a_resumed_run_knows_its_own_files(tmp_path, recwarn):
    run = Run(tmp_path)
    before = {path.name for path in run.folder.iterdir()}
    keep = run.fit(run.folder / "resume.ckpt", epochs=2)
    assert not [w for w in recwarn if "names files" in str(w.message)]
    assert len(keep.best_k_models) == 1
    assert len({path.name for path in run.folder.iterdir()}) == len(before)


# Checkpoints as they were written before


def test_a_checkpoint_with_the_keys_of_before_is_read(forged):
    """With `_instantiator`, and paths of the modules in which the classes were."""
    path = forged(
        _instantiator="lightning.pytorch.cli.instantiate_module",
        _class_path="snn_synth.training.autoencoder.LitAutoencoder",
        optimizer={"class_path": "torch.optim.adamw.AdamW", "init_args": {"lr": 0.5, "betas": (0.9, 0.999)}},
        lr_scheduler={"class_path": "torch.optim.lr_scheduler.StepLR", "init_args": {"step_size": 3}},
    )
    module = LitAutoencoder.load_from_checkpoint(path)
    optimizer = module.optimizer(module.parameters())
    assert type(optimizer) is torch.optim.AdamW
    assert optimizer.defaults["lr"] == 0.5
    assert module.lr_scheduler(optimizer).step_size == 3


# Arguments of a subclass


class Coloured(LitAutoencoder):
    """Adds an argument, and calls Lightning's own way to keep it."""

    def __init__(self, network: AESNN, colour: str = "red", lengths=(1,), **settings):
        super().__init__(network, **settings)
        self.save_hyperparameters()
        self.colour, self.lengths = colour, lengths


class Naming(LitAutoencoder):
    """Names what Lightning is to keep."""

    def __init__(self, network: AESNN, colour: str = "red", **settings):
        super().__init__(network, **settings)
        self.save_hyperparameters("colour")
        self.colour = colour


class Loose(LitAutoencoder):
    """Passes everything on."""

    def __init__(self, *args, extra=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.extra = extra


class OwnData(MNISTSubsetData):
    def __init__(self, flip: bool = False, **settings):
        super().__init__(**settings)
        self.flip = flip


@pytest.mark.parametrize(
    "make",
    [
        lambda: Coloured(AESNN(12, 3), "blue", lengths=[2, 3], num_steps=4, rule="online"),
        lambda: Naming(AESNN(12, 3), "blue", num_steps=4),
        lambda: Loose(AESNN(12, 3), extra={"a": [1.5, None]}, num_steps=5),
        lambda: Loose(network=AESNN(12, 3), optimizer=torch.optim.SGD),
    ],
)
def test_what_a_subclass_adds_comes_back(make, tmp_path):
    module = make()
    path = save(module, tmp_path / "mine.ckpt")
    for again in (type(module).load_from_checkpoint(path), LitAutoencoder.load_from_checkpoint(path)):
        assert type(again) is type(module)
        assert dict(again.hparams) == dict(module.hparams)
        for name in ("colour", "lengths", "extra", "num_steps", "rule"):
            assert getattr(again, name, None) == getattr(module, name, None)
    assert dict(copy.deepcopy(module).hparams) == dict(module.hparams)


def test_an_argument_may_be_given_instead_of_the_checkpoints(tmp_path):
    path = save(Coloured(AESNN(12, 3), "blue"), tmp_path / "mine.ckpt")
    again = Coloured.load_from_checkpoint(path, network=AESNN(12, 3, alpha=0.5), num_steps=2)
    assert (again.network.config["alpha"], again.num_steps, again.colour) == (0.5, 2, "blue")


def test_what_a_subclass_of_data_adds_comes_back(tmp_path):
    trainer = quiet_trainer(tmp_path, max_steps=1, limit_val_batches=0)
    trainer.fit(LitAutoencoder(AESNN(784, 4)), datamodule=OwnData(True, batch_size=9))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = OwnData.load_from_checkpoint(tmp_path / "a.ckpt")
    assert (again.flip, again.batch_size) == (True, 9)


class Counting(OwnData):
    """Has a state of its own."""

    count = 0

    def state_dict(self):
        return {"count": 7}

    def load_state_dict(self, state_dict):
        self.count = state_dict["count"]


@pytest.mark.parametrize("cls", [Counting, OwnData, MNISTSubsetData])
def test_the_state_of_data_comes_back_by_whichever_class_it_is_loaded(cls, tmp_path):
    trainer = quiet_trainer(tmp_path, max_steps=1, limit_val_batches=0)
    trainer.fit(LitAutoencoder(AESNN(784, 4)), datamodule=Counting(batch_size=9))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = cls.load_from_checkpoint(tmp_path / "a.ckpt")
    assert type(again) is Counting
    assert (again.batch_size, again.count) == (9, 7)


def test_all_weights_must_be_there_unless_told_otherwise(whole, tmp_path):
    content = copy.deepcopy(whole)
    del content["state_dict"]["network.layers.1.0.weight"]
    torch.save(content, tmp_path / "part.ckpt")
    for strict in ({}, {"strict": None}, {"strict": True}):
        assert "Missing key" in sentence(
            lambda how=strict: LitAutoencoder.load_from_checkpoint(tmp_path / "part.ckpt", **how)
        )
    module = LitAutoencoder.load_from_checkpoint(tmp_path / "part.ckpt", strict=False)
    assert torch.equal(next(module.parameters()), content["state_dict"]["network.layers.0.0.weight"])


def test_counts_that_are_none_are_refused_before_a_run_goes_on(tmp_path):
    run = Run(tmp_path)
    path = run.folder / "resume.ckpt"
    content = torch.load(path, weights_only=True)
    content["loops"]["fit_loop"]["epoch_progress"]["current"]["ready"] = -1
    torch.save(content, path)
    with pytest.raises(InputError, match="Expected counts of steps and epochs in the checkpoint, got -1"):
        run.fit(path, epochs=2)


@pytest.mark.parametrize("kept", [{}, [1], None])
def test_a_checkpoint_without_settings_is_refused(kept, whole, tmp_path):
    torch.save(copy.deepcopy(whole) | {"datamodule_hyper_parameters": kept}, tmp_path / "a.ckpt")
    message = sentence(lambda: MNISTSubsetData.load_from_checkpoint(tmp_path / "a.ckpt"))
    assert message.endswith("a.ckpt without `datamodule_hyper_parameters`")


def test_a_file_of_settings_beside_the_checkpoint_is_refused(forged):
    said = sentence(lambda: LitAutoencoder.load_from_checkpoint(forged(), hparams_file="hparams.yaml"))
    assert said.startswith("Expected no `hparams_file`")


def test_an_optimizer_is_no_scheduler_and_anything_made_is_one_of_both(forged):
    step = {"class_path": "torch.optim.lr_scheduler.StepLR", "init_args": {"step_size": 3}}
    module = LitAutoencoder.load_from_checkpoint(forged(optimizer=step, lr_scheduler=step))
    assert "Expected a subclass of Optimizer that" in sentence(lambda: module.optimizer([]))
    assert module.lr_scheduler(torch.optim.SGD(module.parameters())).step_size == 3
    for hint in (Callable[..., Any], Callable[..., object]):
        made = hparams._made(step, hint)
        assert (made.name, made.kinds) == (step["class_path"], (torch.optim.Optimizer, LRScheduler))


def test_options_by_position_are_refused():
    with pytest.raises(InputError, match=r"Expected `optimizer` to be a class or functools\.partial"):
        LitAutoencoder(AESNN(12, 3), optimizer=functools.partial(torch.optim.SGD, 0.1))


def test_what_a_checkpoint_cannot_hold_is_refused_when_the_module_is_made():
    with pytest.raises(InputError, match=r"Expected `colour` to be a class or functools\.partial.* got tensor"):
        Coloured(AESNN(12, 3), torch.zeros(2))

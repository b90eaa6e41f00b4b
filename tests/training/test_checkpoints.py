import os
import pickle
import zipfile

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EarlyStopping, LambdaCallback, ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel

from snn_synth.errors import InputError
from snn_synth.kernels.cpu import choice
from snn_synth.models import ACSNN, AESNN
from snn_synth.training import (
    AtomicCheckpointIO,
    LitAudiocoder,
    LitAutoencoder,
    ResumeCheckpoint,
    load_checkpoint,
)
from snn_synth.training.reading import read_checkpoint
from tests.training.tiny import TinyImages, quiet_trainer


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class TestAtomicCheckpointIO:
    def test_writes_what_torch_reads_with_the_permissions_of_any_new_file(self, tmp_path):
        AtomicCheckpointIO().save_checkpoint({"a": torch.arange(3)}, tmp_path / "new" / "x.ckpt")
        assert names(tmp_path / "new") == ["x.ckpt"]
        assert torch.load(tmp_path / "new" / "x.ckpt")["a"].tolist() == [0, 1, 2]
        (tmp_path / "other").touch()
        assert (tmp_path / "new" / "x.ckpt").stat().st_mode == (tmp_path / "other").stat().st_mode

    def test_a_write_that_fails_midway_leaves_the_old_file_and_nothing_else(self, tmp_path, monkeypatch):
        path = tmp_path / "x.ckpt"
        AtomicCheckpointIO().save_checkpoint({"a": 1}, path)

        def disk_full(checkpoint, file):
            file.write(b"PK half a zip")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(torch, "save", disk_full)
        with pytest.raises(InputError, match=r"Expected to write .*x\.ckpt, got No space left on device"):
            AtomicCheckpointIO().save_checkpoint({"a": 2}, path)
        assert names(tmp_path) == ["x.ckpt"]
        assert torch.load(path) == {"a": 1}

    def test_an_interrupt_midway_leaves_the_old_file_and_nothing_else(self, tmp_path, monkeypatch):
        path = tmp_path / "x.ckpt"
        AtomicCheckpointIO().save_checkpoint({"a": 1}, path)

        def interrupted(checkpoint, file):
            file.write(b"PK half a zip")
            raise KeyboardInterrupt

        monkeypatch.setattr(torch, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            AtomicCheckpointIO().save_checkpoint({"a": 2}, path)
        assert names(tmp_path) == ["x.ckpt"]
        assert torch.load(path) == {"a": 1}

    def test_all_of_it_is_on_the_disk_before_the_old_file_goes(self, tmp_path, monkeypatch):
        path, sizes = tmp_path / "x.ckpt", []
        monkeypatch.setattr("os.fsync", lambda file: sizes.append((os.fstat(file).st_size, path.exists())))
        AtomicCheckpointIO().save_checkpoint({"a": torch.arange(10)}, path)
        assert (path.stat().st_size, False) in sizes

    def test_removes_a_checkpoints_file_and_nothing_else(self, tmp_path):
        folder, file, notes = tmp_path / "a.ckpt", tmp_path / "b.ckpt", tmp_path / "notes.txt"
        folder.mkdir()
        file.touch()
        notes.touch()
        (tmp_path / "link.ckpt").symlink_to(folder)
        for path in (folder, file, notes, tmp_path / "link.ckpt", tmp_path / "missing.ckpt"):
            AtomicCheckpointIO().remove_checkpoint(str(path))
        assert names(tmp_path) == ["a.ckpt", "notes.txt"]

    def test_no_permission_to_write_is_said_in_one_sentence(self, tmp_path):
        (tmp_path / "file").touch()  # a regular file where a folder would have to be: fails for root too
        with pytest.raises(InputError, match=r"^Expected .*file.* \(?.*(Not a directory|File exists)"):
            AtomicCheckpointIO().save_checkpoint({}, tmp_path / "file" / "runs" / "x.ckpt")

    def test_is_what_a_trainer_writes_with(self, tmp_path):
        saved = []

        class Spy(AtomicCheckpointIO):
            def save_checkpoint(self, checkpoint, path, storage_options=None):
                saved.append(str(path))
                super().save_checkpoint(checkpoint, path, storage_options)

        module = LitAutoencoder(AESNN(12, 3), num_steps=2)
        trainer = quiet_trainer(tmp_path, max_epochs=1, callbacks=[ResumeCheckpoint(2)], plugins=[Spy()])
        trainer.fit(module, TinyImages())
        assert saved == [str(tmp_path / "resume.ckpt")] * 3  # after batches 2 and 4 of 5, and the epoch
        assert names(tmp_path) == ["resume.ckpt"]


class Order(Callback):
    """Which validation or checkpoint came after which batch."""

    def __init__(self):
        self.seen, self.batch = [], 0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.batch = batch_idx + 1

    def on_validation_end(self, trainer, pl_module):
        self.seen.append(f"validated {self.batch}")

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        self.seen.append(f"saved {self.batch}")


@pytest.mark.parametrize(
    ("every", "interval", "expected"),
    [
        (2, 2, "validated 2, saved 2, validated 4, saved 4, saved 5"),  # after the validation of the same batch
        (3, 2, "validated 2, saved 3, validated 4, saved 5"),
        (2, 5, "saved 2, saved 4, validated 5, saved 5"),
        (5, 5, "validated 5, saved 5"),  # the last batch is left to the epoch's end
        (1, 5, "saved 1, saved 2, saved 3, saved 4, validated 5, saved 5"),
    ],
)
def test_when_resumecheckpoint_saves_within_an_epoch_of_5_batches(tmp_path, every, interval, expected):
    order = Order()
    trainer = quiet_trainer(
        tmp_path, max_epochs=2, val_check_interval=interval, callbacks=[ResumeCheckpoint(every), order]
    )
    stop = LambdaCallback(on_train_epoch_end=lambda trainer, _: order.seen.append("|"))
    trainer.callbacks.insert(0, stop)
    trainer.fit(LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages())
    first = ", ".join(order.seen[: order.seen.index("|") + 2]).replace("|, ", "")
    assert first == expected


def test_resumecheckpoint_comes_last_and_writes_nothing_in_a_trial(tmp_path):
    resume = ResumeCheckpoint(1)
    trainer = quiet_trainer(tmp_path, max_epochs=1, callbacks=[resume, ModelCheckpoint(tmp_path), Order()])
    trainer.fit(LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages())
    assert trainer.callbacks[-1] is resume
    assert trainer.callbacks.count(resume) == 1
    trainer = quiet_trainer(tmp_path / "trial", fast_dev_run=2, callbacks=[ResumeCheckpoint(1)])
    trainer.fit(LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages())
    assert not (tmp_path / "trial").exists()


def test_a_callback_goes_on_with_its_state_of_when_its_measure_had_another_name(tmp_path):
    def fit(epochs, ckpt_path=None):
        stop = EarlyStopping("val/standardized_mse", mode="max", min_delta=9, patience=9)
        other = EarlyStopping("val/spike_mse", mode="max", min_delta=9, patience=9)
        trainer = quiet_trainer(tmp_path, max_epochs=epochs, callbacks=[stop, other, ResumeCheckpoint()])
        trainer.fit(LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages(), ckpt_path=ckpt_path)
        return stop.wait_count, other.wait_count

    assert fit(2) == (1, 1)
    path = tmp_path / "resume.ckpt"
    content = torch.load(path, weights_only=True)
    content["callbacks"] = {key.replace("standardized_mse", "mse"): one for key, one in content["callbacks"].items()}
    torch.save(content, path)
    assert fit(3, path) == (2, 2)


def test_resumecheckpoint_takes_only_numbers_by_name_from_a_checkpoint():
    callback = ResumeCheckpoint()
    for state in ({}, {"measured": None}, {"measured": [1.0]}):
        callback.load_state_dict(state)
        assert callback.measured == {}
    callback.load_state_dict({"measured": {"val/loss": 0.5, 3: 0.5, "val/text": "0.5", "val/list": [0.5]}})
    assert callback.measured == callback.state_dict()["measured"] == {"val/loss": 0.5}


def test_resumecheckpoint_wants_a_positive_interval():
    with pytest.raises(InputError, match="Expected `every_n_batches` to be at least 1, got 0"):
        ResumeCheckpoint(every_n_batches=0)


class Code:
    """Unpickling one writes a file."""

    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return open, (str(self.witness), "w")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    module = LitAutoencoder(AESNN(12, 3), num_steps=2)
    trainer = quiet_trainer(folder, max_epochs=1, callbacks=[ResumeCheckpoint()])
    trainer.fit(module, TinyImages())
    return folder / "resume.ckpt"


def sentence(function, *arguments):
    """The message of the InputError that a call raises: one sentence on one line."""
    with pytest.raises(InputError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert message.startswith("Expected ")
    assert "\n" not in message
    assert len(message) < 400
    return message


def test_a_whole_one_is_read(checkpoint):
    assert read_checkpoint(checkpoint)["hyper_parameters"]["num_steps"] == 2
    module = load_checkpoint(LitAutoencoder, checkpoint)
    assert module.network.sizes == [12, 3, 12]


def test_missing(tmp_path):
    assert sentence(read_checkpoint, tmp_path / "no.ckpt") == (
        f"Expected a checkpoint at {tmp_path / 'no.ckpt'}, got no such file"
    )


def test_a_folder(tmp_path):
    assert "directory" in sentence(read_checkpoint, tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated(checkpoint, tmp_path, share):
    content = checkpoint.read_bytes()
    path = tmp_path / "half.ckpt"
    path.write_bytes(content[: int(share * len(content))])
    assert f"got {path}: damaged or of another kind" in sentence(read_checkpoint, path)
    assert str(path) in sentence(load_checkpoint, LitAutoencoder, path)


def _zip(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("hello.txt", "hello")


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("hello, this is no checkpoint\n"),
        lambda path: path.write_bytes(bytes(range(256)) * 10),
        lambda path: path.write_bytes(b"\x00" * 100),
        _zip,
    ],
    ids=["text", "bytes", "zeros", "zip"],
)
def test_no_checkpoint_at_all(tmp_path, write):
    path = tmp_path / "other.ckpt"
    write(path)
    message = sentence(read_checkpoint, path)
    assert f"got {path}: " in message
    assert "damaged" in message


def test_weights_alone(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(AESNN(12, 3).state_dict(), path)
    assert "without `state_dict` and `hyper_parameters`" in sentence(read_checkpoint, path)
    torch.save(torch.zeros(3), path)
    assert "without `state_dict` and `hyper_parameters`" in sentence(read_checkpoint, path)


@pytest.mark.parametrize("hidden_in", ["pickle", "checkpoint"])
def test_code_does_not_run(checkpoint, tmp_path, hidden_in):
    path, witness = tmp_path / "evil.ckpt", tmp_path / "it ran"
    if hidden_in == "pickle":
        path.write_bytes(pickle.dumps(Code(witness)))
    else:
        torch.save({**torch.load(checkpoint), "callbacks": Code(witness)}, path)
    message = sentence(read_checkpoint, path)
    assert message == (
        f"Expected a checkpoint of snn_synth, got {path}: "
        "it is damaged, or holds objects other than tensors and plain data, which could run code"
    )
    assert sentence(load_checkpoint, LitAutoencoder, path) == message
    assert not witness.exists()
    pickle.loads(pickle.dumps(Code(witness))).close()
    assert witness.exists()  # the code would have worked


def test_code_does_not_run_when_a_run_is_resumed(checkpoint, tmp_path):
    path, witness = tmp_path / "evil.ckpt", tmp_path / "it ran"
    torch.save({**torch.load(checkpoint), "callbacks": Code(witness)}, path)
    trainer = quiet_trainer(tmp_path, max_epochs=2, plugins=[AtomicCheckpointIO()])
    with pytest.raises(InputError, match="which could run code"):
        trainer.fit(LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages(), ckpt_path=path)
    assert not witness.exists()


def test_code_does_not_run_for_a_module_that_is_none_of_ours(checkpoint, tmp_path):
    path, witness = tmp_path / "evil.ckpt", tmp_path / "it ran"
    torch.save({**torch.load(checkpoint), "callbacks": Code(witness)}, path)
    with pytest.raises(pickle.UnpicklingError):
        load_checkpoint(BoringModel, path)
    assert not witness.exists()


def test_of_another_module(checkpoint, tmp_path):
    message = sentence(load_checkpoint, LitAudiocoder, checkpoint)
    assert f"Expected a checkpoint of LitAudiocoder, got {checkpoint}" in message
    foreign = tmp_path / "foreign.ckpt"
    torch.save({"state_dict": {"weight": torch.zeros(3)}, "hyper_parameters": {"lr": 0.1}}, foreign)
    for cls in (LitAutoencoder, LitAudiocoder):
        assert f"Expected a checkpoint of {cls.__name__}, got {foreign}" in sentence(load_checkpoint, cls, foreign)


def test_of_another_network(checkpoint, tmp_path):
    damaged = torch.load(checkpoint)
    damaged["hyper_parameters"]["network"]["init_args"]["hidden"] = 4
    torch.save(damaged, tmp_path / "x.ckpt")
    assert "Expected a checkpoint of LitAutoencoder" in sentence(load_checkpoint, LitAutoencoder, tmp_path / "x.ckpt")


def test_an_audiocoder_before_its_first_fit_says_so():
    with pytest.raises(InputError, match="got one before its first `fit`"):
        LitAudiocoder(ACSNN(80, 12, 16)).audio_to_image()


def test_a_run_that_goes_on_computes_products_as_before(tmp_path, monkeypatch):
    """Ways round differently: those of the checkpoint come before what this machine would measure."""
    monkeypatch.setattr(choice, "_chosen", {"measured here": "float32"})
    path = tmp_path / "resume.ckpt"
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages())
    trainer.save_checkpoint(path)
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["fastest_products"] == {"measured here": "float32"}
    torch.save(checkpoint | {"fastest_products": {"measured here": "listed", "elsewhere": "unknown"}}, path)
    quiet_trainer(tmp_path, max_epochs=2).fit(LitAutoencoder(AESNN(12, 3), num_steps=2), TinyImages(), ckpt_path=path)
    assert choice.chosen() == {"measured here": "listed"}

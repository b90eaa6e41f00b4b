import pickle
import zipfile

import pytest
import torch

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

import builtins
import socket

import pytest
import torch

from snn_synth.cli import main
from snn_synth.errors import InputError
from snn_synth.models import ACSNN, AESNN, AudioToImage
from snn_synth.models.pretrained import Pretrained
from tests.models.hub_server import TOKEN, hub_on_loopback


@pytest.fixture
def hub(monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.chdir(tmp_path)
    with hub_on_loopback() as (hub, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        # The package reads it once, when it is imported, which another test may have done.
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub


@pytest.fixture
def files(tmp_path):
    torch.manual_seed(0)
    AESNN(9, 4).save_pretrained(tmp_path / "saved")
    return {path.name: path.read_bytes() for path in (tmp_path / "saved").iterdir()}


@pytest.fixture
def options(tmp_path):
    return {"cache_dir": tmp_path / "cache", "token": False}


def weights(model):
    return torch.cat([one.detach().flatten() for one in model.parameters()])


def refusal(name, cls=AESNN, **options):
    with pytest.raises(InputError) as caught:
        cls.from_pretrained(name, **options)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 500
    return said


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch, tmp_path):
    real = builtins.__import__

    def absent(name, *rest, **more):
        if name.startswith("huggingface_hub"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    monkeypatch.chdir(tmp_path)
    assert "pip install 'snn_synth[hub]'" in refusal("user/name")
    with pytest.raises(InputError, match=r"pip install 'snn_synth\[hub\]'"):
        AESNN(9, 4).push_to_hub("user/name")


def test_a_model_of_the_hub_is_the_one_that_was_saved(hub, files, options, tmp_path):
    hub.add("user/digits", files | {"README.md": b"# A card", "code.py": b"raise SystemExit", "pickle.bin": b"\x80"})
    model = AESNN.from_pretrained("user/digits", **options)
    assert torch.equal(weights(model), weights(AESNN.from_pretrained(tmp_path / "saved")))
    assert not model.training
    fetched = {path.name for path in (tmp_path / "cache").rglob("snapshots/*/*")}
    assert fetched == {"config.json", "model.safetensors"}, "nothing else is of use here"
    assert isinstance(Pretrained.from_pretrained("user/digits", **options), AESNN)


def test_the_cache_is_enough_without_the_network(hub, files, options, monkeypatch):
    hub.add("user/digits", files)
    first = AESNN.from_pretrained("user/digits", **options)
    asked = len(hub.requests)
    again = AESNN.from_pretrained("user/digits", local_files_only=True, **options)
    assert len(hub.requests) == asked
    assert torch.equal(weights(first), weights(again))


def test_a_revision_is_a_branch_or_a_commit(hub, files, options, tmp_path):
    torch.manual_seed(1)
    AESNN(9, 5).save_pretrained(tmp_path / "other")
    hub.add("user/digits", files)
    hub.add("user/digits", {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()}, "wider")
    assert AESNN.from_pretrained("user/digits", **options).sizes[1] == 4
    assert AESNN.from_pretrained("user/digits", revision="wider", **options).sizes[1] == 5
    commit = hub.sha("user/digits", "wider")
    assert AESNN.from_pretrained("user/digits", revision=commit, **options).sizes[1] == 5
    assert "has no revision 'none'" in refusal("user/digits", revision="none", **options)


def test_a_folder_that_is_there_and_a_shipped_name_are_not_looked_up(hub, files, options, tmp_path):
    hub.add("runs/ae", files)
    AESNN(9, 7).save_pretrained(tmp_path / "runs" / "ae")
    assert AESNN.from_pretrained("runs/ae", **options).sizes[1] == 7
    assert AESNN.from_pretrained("mnist").sizes[1] == 196
    assert hub.requests == []
    for name in ("runs/ae", "mnist"):
        assert f"Expected a model of the Hub, `user/name`, with revision='v1', got {name}" in refusal(
            name, revision="v1"
        )


@pytest.mark.parametrize("name", ["./runs/none", "/nowhere/none", "a/b/c", "none", "runs/best.ckpt", "../none", "a/.."])
def test_what_is_no_name_of_the_hub_is_not_asked_for(hub, name):
    assert "Expected a folder with config.json" in refusal(name)
    assert hub.requests == []


def test_a_name_that_is_not_there_or_not_for_this_user(hub, files, options):
    hub.add("user/private", files)
    hub.add("user/gated", files)
    hub.private.add("user/private")
    hub.gated.add("user/gated")
    for name in ("user/none", "user/private"):
        assert "there is none of that name, or it is private" in refusal(name, **options)
    assert "access to it has to be granted first" in refusal("user/gated", **options)
    allowed = options | {"token": TOKEN}
    for name in ("user/private", "user/gated"):
        assert AESNN.from_pretrained(name, **allowed).sizes == [9, 4, 9]


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_repository_without_a_saved_model(hub, files, options, missing):
    hub.add("user/other", {name: x for name, x in files.items() if name != missing} | {"README.md": b"hello"})
    assert refusal("user/other", **options).endswith(f"in user/other of the Hub, got no {missing}")
    hub.add("user/empty", {"README.md": b"hello"})
    assert "in user/empty of the Hub, got no config.json" in refusal("user/empty", **options)


def test_files_of_the_hub_are_checked_as_those_of_a_folder(hub, files, options):
    hub.add(
        "user/large", files | {"config.json": b'{"model": "AESNN", "arguments": {"inputs": 54000, "hidden": 9000}}'}
    )
    hub.add("user/code", files | {"config.json": b'{"model": "subprocess.Popen", "arguments": {"args": "ls"}}'})
    hub.add("user/damaged", files | {"model.safetensors": b"\x00" * 50})
    assert "fit a file of" in refusal("user/large", **options)
    assert "description of one of" in refusal("user/code", **options)
    assert "damaged file" in refusal("user/damaged", **options)
    hub.add("user/digits", files)
    assert "Expected a saved AudioToImage, got a AESNN" in refusal("user/digits", AudioToImage, **options)


def test_no_network_is_one_sentence(hub, options, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    assert "the Hub was not or could not be reached" in refusal("user/digits", **options)
    assert "it is not in the cache" in refusal("user/digits", local_files_only=True, **options)
    with pytest.raises(InputError, match="could not be reached"):
        AESNN(9, 4).push_to_hub("me/digits", token=TOKEN)


def test_a_hub_that_fails_is_one_sentence(hub, files, options, monkeypatch):
    hub.add("user/digits", files)
    hub.down.add("user/digits")
    assert "the Hub was not or could not be reached" in refusal("user/digits", **options)


def test_a_model_that_was_pushed_is_loaded_again_and_its_card_is_read(hub, options):
    torch.manual_seed(0)
    model = AudioToImage(ACSNN(60, 8, 4), AESNN(9, 4), (1, 3, 3), labels=["yes", "no"])
    address = model.push_to_hub(
        "me/words",
        token=TOKEN,
        private=True,
        license="mit",
        tags=["speech"],
        datasets=["ylecun/mnist"],
        metrics={"standardized_mse": 0.12345},
    )
    assert address.endswith(f"/me/words/commit/{hub.sha('me/words', 'main')}")
    assert "me/words" in hub.private
    assert set(hub.repos["me/words"]["main"]) == {".gitattributes", "config.json", "model.safetensors", "README.md"}
    again = AudioToImage.from_pretrained("me/words", **options | {"token": TOKEN})
    assert torch.equal(weights(again), weights(model))
    assert again.labels == ("yes", "no")

    from huggingface_hub import ModelCard

    card = ModelCard(hub.repos["me/words"]["main"]["README.md"].decode())
    assert card.data.to_dict() == {
        "library_name": "snn_synth",
        "license": "mit",
        "tags": ["spiking-neural-network", "snntorch", "AudioToImage", "speech"],
        "datasets": ["ylecun/mnist"],
        "metrics": ["standardized_mse"],
    }
    assert 'AudioToImage.from_pretrained("me/words")' in card.text
    assert "| standardized_mse | 0.1235 |" in card.text


def test_a_second_push_replaces_the_weights_and_leaves_the_card(hub, options):
    AESNN(9, 4).push_to_hub("me/digits", token=TOKEN)
    hub.repos["me/digits"]["main"]["README.md"] = b"# My own words"
    AESNN(9, 5).push_to_hub("me/digits", token=TOKEN, license="mit")
    assert AESNN.from_pretrained("me/digits", **options).sizes == [9, 5, 9]
    assert hub.repos["me/digits"]["main"]["README.md"] == b"# My own words"


def test_a_push_to_a_branch_leaves_main(hub, options):
    AESNN(9, 4).push_to_hub("me/digits", token=TOKEN)
    AESNN(9, 5).push_to_hub("me/digits", token=TOKEN, revision="wider", dtype=torch.float16)
    assert AESNN.from_pretrained("me/digits", **options).sizes[1] == 4
    assert AESNN.from_pretrained("me/digits", revision="wider", **options).sizes[1] == 5


@pytest.mark.parametrize("name", ["digits", "me/digits/more", "me/", "runs/best.ckpt", "/me/digits"])
def test_a_push_to_what_is_no_name_is_refused(hub, name):
    with pytest.raises(InputError, match="Expected a repository `user/name` on the Hub, got"):
        AESNN(9, 4).push_to_hub(name, token=TOKEN)
    assert hub.requests == []


def test_a_push_without_the_right_to_write_is_one_sentence(hub, files):
    hub.add("user/digits", files)
    for token in (False, "hf_of_somebody_else"):
        with pytest.raises(InputError, match="Expected to upload the model user/digits") as caught:
            AESNN(9, 5).push_to_hub("user/digits", token=token)
        assert "log in by `hf auth login`" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert hub.repos["user/digits"]["main"] == files


def test_the_command_line_takes_a_model_of_the_hub(hub, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    AESNN(784, 4).push_to_hub("me/digits", token=TOKEN)
    assert main(["energy", "me/digits", "--data", "mnist_subset", "--samples", "3"]) == 0
    assert "me/digits: means over 3 test images" in capsys.readouterr().out
    for command in (["energy", "me/none"], ["synthesize", "--checkpoint", "me/none", "--out", "out", "a.wav"]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert "there is none of that name" in error
        assert error.count("\n") == 1

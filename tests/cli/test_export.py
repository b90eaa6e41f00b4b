import h5py
import pytest
import torch

from snn_synth.cli import main
from snn_synth.cli.export import WRITERS
from snn_synth.interop.nir import from_nir
from snn_synth.models import AESNN, AudioToImage, SpikingGAN
from snn_synth.training import LitAutoencoder

from .conftest import save


def same_weights(network, other):
    return all(torch.equal(x, y) for x, y in zip(network.parameters(), other.parameters(), strict=True))


def test_a_shipped_model_a_folder_and_a_checkpoint(tmp_path, capsys):
    torch.manual_seed(0)
    network = AESNN(16, 4)
    network.save_pretrained(tmp_path / "folder")
    save(LitAutoencoder(network), tmp_path / "run.ckpt")
    target = tmp_path / "new" / "network.nir"
    for source in (tmp_path / "folder", tmp_path / "run.ckpt"):
        assert main(["export", str(source), "--to", str(target)]) == 0
        assert capsys.readouterr().out == f"Wrote {target}\n"
        assert same_weights(from_nir(target), network)
    assert main(["export", "mnist-portable", "--to", str(target)]) == 0
    assert same_weights(from_nir(target), AESNN.from_pretrained("mnist-portable"))
    assert [path.name for path in target.parent.iterdir()] == ["network.nir"]


def test_the_checkpoint_of_an_audiocoder_gives_the_whole_chain(checkpoint, tmp_path):
    assert main(["export", str(checkpoint), "--to", str(tmp_path / "a2i.nir")]) == 0
    chain = from_nir(tmp_path / "a2i.nir")
    assert [tuple(x.shape) for x in chain.parameters()] == [(24, 80), (12, 24), (784, 12)]


def test_the_shipped_pair_is_exported_whole(tmp_path):
    assert main(["export", "fsdd", "--to", str(tmp_path / "a2i.nir"), "--dialect", "norse", "--dt", "0.001"]) == 0
    a2i, chain = AudioToImage.from_pretrained("fsdd"), from_nir(tmp_path / "a2i.nir")
    assert torch.equal(chain[0].weight, a2i.audiocoder.layers[0][0].weight)
    assert torch.equal(chain[-2].weight, a2i.autoencoder.layers[1][0].weight)
    with h5py.File(tmp_path / "a2i.nir") as file:
        assert file["node/metadata/dialect"][()] == b"norse"
        assert file["node/nodes/lif/tau"][0, 0, 0] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mnist", "--to", "x.nir"], 'reset="subtract"'),
        (["gan", "--to", "x.nir"], "SpikingGAN"),
        (["nothing", "--to", "x.nir"], "nothing, which is not there"),
        (["text.ckpt", "--to", "x.nir"], "text.ckpt"),
        (["mnist-portable", "--to", "x.h5"], "x.h5"),
        (["mnist-portable", "--to", "new/x"], str(list(WRITERS))),
        (["mnist-portable", "--to", "folder.nir"], "a folder of that name"),
        (["mnist-portable", "--to", "text.ckpt/x.nir"], "text.ckpt"),
        (["mnist-portable", "--to", "new/x.nir", "--dialect", "lava"], "'lava'"),
        (["mnist-portable", "--to", "new/x.nir", "--dt", "0"], "`dt`"),
        (["mnist-portable", "--to", "new/x.nir", "--dt", "short"], "short"),
        (["mnist-portable"], "--to"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(words, said, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    (tmp_path / "folder.nir").mkdir()
    SpikingGAN(6, 4, 8).save_pretrained(tmp_path / "gan")
    assert said in refused("export", *words)


def test_an_option_of_another_format_is_refused(refused, monkeypatch):
    monkeypatch.setitem(WRITERS, ".nir", WRITERS[".nir"]._replace(options=()))
    assert "--dialect" in refused("export", "mnist-portable", "--to", "x.nir", "--dialect", "norse")

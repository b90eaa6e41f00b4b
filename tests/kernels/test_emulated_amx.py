import pytest
import torch

from snn_synth.kernels.cpu import amx, cache, layer, products, tile_scans, tiles
from tests.kernels import emulated_amx


def draw(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_no_emulated_kernel_is_kept_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    assert emulated_amx.load().tile_scans.spikes(torch.ones(2, 1, 3), torch.ones(4, 3), 0.5, 1.0).all()
    assert not list(tmp_path.iterdir())

    def add(x):
        return x + 1

    assert cache.compiled(add)(1) == 2
    assert list(tmp_path.iterdir()), "a kernel of the package is kept"


def test_no_other_test_sees_the_emulation():
    before = amx.has_amx()
    with pytest.MonkeyPatch.context() as patch:
        emulated_amx.give_amx(patch)
        assert products.available() == ["float32", "listed", "tiles"]
        assert (products.tiles is tiles) == (layer.tile_scans is tile_scans) == before
    assert amx.has_amx() == products.has_amx() == before
    assert products.tiles is tiles
    assert layer.tile_scans is tile_scans
    emulated = emulated_amx.emulated()
    for name in ("multiply_block", "split_pairs", "transpose_tile", "tiles_on", "tiles_off"):
        assert getattr(tiles, name) is getattr(amx, name)
        assert getattr(emulated.tiles, name) is not getattr(amx, name)
    for name in ("_multiply", "_pack_left", "pack_all", "_pack", "_put"):
        assert getattr(tiles, name) is not getattr(emulated.tiles, name)
    for name in ("multiply_block", "split_pairs", "tiles_on", "tiles_off", "pack_all", "_multiply", "_scan"):
        assert getattr(tile_scans, name) is not getattr(emulated.tile_scans, name)


@pytest.mark.skipif(not amx.has_amx(), reason="needs AMX")
@pytest.mark.parametrize("parts", [1, 3])
def test_emulated_products_are_those_of_the_processor(parts):
    a, b = draw(70, 333, seed=0), draw(333, 45, seed=1)
    ours, theirs = (one.product(a, b, parts, parts) for one in (emulated_amx.emulated().tiles, tiles))
    assert (ours - theirs).abs().max() < 1e-6 * theirs.abs().max()

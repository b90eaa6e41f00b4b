"""Other libraries give our spikes from our files; each is skipped where it is not installed."""

import warnings

import pytest
import torch

from benchmarks.nir_readers import READERS, agreement
from snn_synth.models import AESNN, AudioToImage, ConvACSNN, ConvAESNN, SpikingStack

from .test_nir import UNREAD, lively, our_spikes, spikes_of

CASES = {
    "ae": lambda: AESNN(20, 10),
    "deep": lambda: SpikingStack([20, 30, 12, 8], alpha=0.3, threshold=0.7),
    "no leak": lambda: SpikingStack([20, 30, 12], alpha=0.0),
    "no memory": lambda: SpikingStack([20, 30, 12], alpha=1.0),
    "learned": lambda: AESNN(20, 10, learned=True),
    "a2i": lambda: AudioToImage(ConvACSNN(9, 14, widths=[3, 4], code=6), AESNN(12, 6), image_shape=(1, 3, 4)),
    "conv ae": lambda: ConvAESNN((9, 14), widths=[3, 4]),
}
# snnTorch 1.0.0 reads an IF node as a leak of 0.1, and thresholds of a layer that differ not at all.
UNREADABLE = UNREAD | {("no leak", "snntorch"), ("learned", "snntorch")}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("reader", READERS)
def test_a_reader_gives_our_spikes_at_every_step(reader, case):
    if (case, reader.lower()) in UNREADABLE:
        pytest.skip("docs/nir.md: not read")
    warnings.simplefilter("ignore")
    pytest.importorskip(reader.lower())
    torch.manual_seed(0)
    network = lively(CASES[case]())
    spikes = spikes_of(3, 30, 100, 126 if case in ("a2i", "conv ae") else 20)
    expected = our_spikes(network, spikes)
    shown = spikes.unflatten(2, (1, 9, 14)) if case in ("a2i", "conv ae") else spikes
    found = agreement(network, reader, shown, expected)
    assert found["differ"] == 0
    assert found["spikes"] > 500


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_fires_where_a_potential_just_meets_the_threshold(reader):
    warnings.simplefilter("ignore")
    pytest.importorskip(reader.lower())
    generator = torch.Generator().manual_seed(3)
    for alpha, steps in ((0.5, 20), (0.1, 1)):  # after a decay that is rounded nothing is equal
        network = SpikingStack([16, 40], alpha=alpha)
        with torch.no_grad():
            weight = network.layers[0][0].weight
            weight.copy_(torch.randint(-3, 6, weight.shape, generator=generator) / 8)
        spikes = spikes_of(2, steps, 50, 16)
        out = network(spikes)
        assert (out.membrane == 1).sum() > 50
        assert agreement(network, reader, spikes, out.spikes.detach())["differ"] == 0


def test_the_page_has_the_committed_numbers():
    import json
    from pathlib import Path

    from benchmarks.nir_readers import RESULTS, table

    page = Path(__file__).parents[2] / "docs" / "nir.md"
    assert table(json.loads(RESULTS.read_text())) in page.read_text()

import json
import struct

import torch

from snn_synth.codec import PackedSpikes, pack, unpack
from tests.fuzz.harness import fuzz


def read(path):
    """Sizes and bytes, as a program may store them."""
    content = path.read_bytes()
    head, _, body = content.partition(b"\n")
    try:
        batch, steps, neurons = json.loads(head)
        data = torch.frombuffer(bytearray(body), dtype=torch.uint8).reshape(batch, -1)
    except (ValueError, TypeError, RuntimeError, RecursionError):
        return  # not this library's
    unpack(PackedSpikes(data, steps, neurons))


def test_maps(tmp_path):
    spikes = (torch.rand(5, 3, 13, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    packed = pack(spikes)
    seed = b"[3, 5, 13]\n" + packed.data.numpy().tobytes()
    words = [struct.pack(">Q", 5), b"13", b"-1", b"1e3", b"null", b'"5"', b"true"]
    counts = fuzz(read, [seed], tmp_path / "map", words=words)
    assert min(counts.values()) > 0

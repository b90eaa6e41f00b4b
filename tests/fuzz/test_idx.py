import gzip
import struct

from snn_synth.data.idx import content_sha256, read_idx
from tests.fuzz.harness import fuzz


def idx(*shape):
    size = 1
    for side in shape:
        size *= side
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(i % 251 for i in range(size))


RAW = [idx(3, 28, 28), idx(5), idx(2, 3, 4, 5)]
ZIPPED = [gzip.compress(content, mtime=0) for content in RAW]
WORDS = [
    b"\x1f\x8b\x08\x00",
    b"\x00\x00\x08\x03",
    b"\x00\x00\x08\xff",
    struct.pack(">I", 2**32 - 1),
    struct.pack(">I", 28),
]


def test_raw(tmp_path):
    counts = fuzz(read_idx, RAW, tmp_path / "file", words=WORDS)
    assert min(counts.values()) > 0


def test_gzipped(tmp_path):
    def read(path):
        read_idx(path, (28, 28))
        content_sha256(path)

    fuzz(read, ZIPPED, tmp_path / "file", words=WORDS)


def test_damaged_before_it_was_gzipped(tmp_path):
    def read(path):
        (tmp_path / "file.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
        read_idx(tmp_path / "file.gz")

    counts = fuzz(read, RAW, tmp_path / "file", words=WORDS)
    assert min(counts.values()) > 0

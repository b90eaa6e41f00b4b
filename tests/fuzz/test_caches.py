import io

import numpy as np

from snn_synth.data import cache, espeak, fsdd
from tests.data.test_fsdd import archive, wav
from tests.fuzz.harness import fuzz

WORDS = [b"'descr': ", b"'<f4'", b"'|O'", b"'shape': (", b"'fortran_order': True", b"\x93NUMPY\x03\x00", b"PK\x03\x04"]


def npy(array, version=None):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version)
    return buffer.getvalue()


def test_spectrograms(tmp_path):
    pictures = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    seeds = [*(npy(pictures, version) for version in ((1, 0), (2, 0), (3, 0))), npy(np.array([{}, None], object))]
    fuzz(lambda path: cache._load(path, (4, 5, 6)), seeds, tmp_path / "file.npy", words=WORDS)


def test_the_spoken_corpus(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, samples=np.arange(900, dtype=np.int16), ends=np.arange(9, 909, 9), sample_rate=22050)
    fuzz(lambda path: espeak._load(path, 100), [buffer.getvalue()], tmp_path / "file.npz", words=WORDS)


def test_the_archive_of_fsdd(tmp_path):
    seed = archive({f"x/recordings/{digit}_theo_0.wav": wav(digit, 0, rate=800) for digit in range(3)})
    fuzz(fsdd.archive_sha256, [seed], tmp_path / "archive.tar.gz", words=[b"ustar", b"\x1f\x8b\x08\x00"])

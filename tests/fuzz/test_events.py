from snn_synth.data import event_spikes, read_events, read_nmnist
from tests.fuzz.harness import fuzz
from tests.recordings import write_aedat, write_nmnist

WORDS = [b"#!AER-DAT2.0\r\n", b"#!AER-DAT3.1\r\n", b"# Creation time: \r\n", b"#", b"\r\n"]


def test_recordings(tmp_path):
    write_aedat(tmp_path / "seed", [(50 + i % 9, 60, i % 2, 7_000 + 13 * i) for i in range(100)])
    seed = (tmp_path / "seed").read_bytes()
    fuzz(lambda path: event_spikes(*read_events(path), num_steps=4), [seed], tmp_path / "one.aedat", words=WORDS)


def test_recordings_of_n_mnist(tmp_path):
    write_nmnist(tmp_path / "seed", [(i % 34, (7 * i) % 34, i % 2, 1_000 * i) for i in range(100)])
    fuzz(read_nmnist, [(tmp_path / "seed").read_bytes()], tmp_path / "one.bin", words=[b"\xf0", b"\x21"])

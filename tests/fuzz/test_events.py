from snn_synth.data import event_spikes, read_events
from tests.fuzz.harness import fuzz
from tests.recordings import write_aedat

WORDS = [b"#!AER-DAT2.0\r\n", b"#!AER-DAT3.1\r\n", b"# Creation time: \r\n", b"#", b"\r\n"]


def test_recordings(tmp_path):
    write_aedat(tmp_path / "seed", [(50 + i % 9, 60, i % 2, 7_000 + 13 * i) for i in range(100)])
    seed = (tmp_path / "seed").read_bytes()
    fuzz(lambda path: event_spikes(*read_events(path), num_steps=4), [seed], tmp_path / "one.aedat", words=WORDS)

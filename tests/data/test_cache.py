import hashlib
import multiprocessing
import os

import numpy as np
import pytest
import torch

from snn_synth.data import FrontEnd, LyonCochleagram, MelSpectrogram, SpokenDigits, spectrograms
from snn_synth.data.cache import cache_key
from snn_synth.errors import InputError


class Tones(SpokenDigits):
    """Ten tones, and how often they were read."""

    def __init__(self):
        self.labels = torch.arange(10)
        self.speakers = ["tone"] * 10
        self.takes = [0] * 10
        self.sample_rate = 8000
        self.version = "1"
        self.reads = 0

    def __getitem__(self, index):
        self.reads += 1
        time = torch.arange(2000 + 200 * index) / 8000
        return torch.sin(2 * torch.pi * 200 * (index + 1) * time), index

    def fingerprint(self):
        return hashlib.sha256(self.version.encode()).hexdigest()


FRONT_END = MelSpectrogram(channels=20, frames=30)


def compute(tones, folder, front_end=FRONT_END):
    return spectrograms(tones, front_end, cache=folder, progress=False)


def test_pictures_are_those_of_the_front_end_and_are_computed_once(tmp_path):
    tones = Tones()
    pictures = compute(tones, tmp_path)
    assert (pictures.shape, pictures.dtype) == ((10, 20, 30), torch.float32)
    for index in range(10):
        assert torch.equal(pictures[index], FRONT_END(tones[index][0], 8000))
    tones.reads = 0
    assert torch.equal(compute(tones, tmp_path), pictures)
    assert tones.reads == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_writing_into_the_tensor_does_not_reach_the_file(tmp_path):
    pictures = compute(Tones(), tmp_path)
    expected = pictures.clone()
    pictures.zero_()
    assert torch.equal(compute(Tones(), tmp_path), expected)


MEL = {
    "sample_rate": 16000, "channels": 21, "frames": 31, "fit": "pad", "window_ms": 20.0, "hop_ms": 4.0,
    "dynamic_range_db": 50.0, "trim_db": 20.0,
}  # fmt: skip
LYON = {
    "sample_rate": 16000, "frames": 31, "fit": "pad", "decimation": 7, "ear_q": 7.0, "step_factor": 0.4,
    "tau_factor": 2.0, "level": 0.2, "trim_db": 20.0,
}  # fmt: skip


@pytest.mark.parametrize(("kind", "changes"), [(MelSpectrogram, MEL), (LyonCochleagram, LYON)])
def test_the_key_changes_with_every_setting(kind, changes, monkeypatch):
    tones = Tones()
    assert set(changes) == set(kind().config()["init_args"])  # a new setting needs a line above
    keys = {cache_key(tones, kind())} | {cache_key(tones, kind(**{k: v})) for k, v in changes.items()}
    assert len(keys) == 1 + len(changes)
    monkeypatch.setattr(kind, "FORMAT", kind.FORMAT + 1)
    keys.add(cache_key(tones, kind()))
    tones.version = "2"
    keys.add(cache_key(tones, kind()))
    assert len(keys) == 3 + len(changes)


def test_the_key_is_the_same_in_another_process_and_front_ends_differ():
    assert cache_key(Tones(), MelSpectrogram()) == cache_key(Tones(), MelSpectrogram())
    assert cache_key(Tones(), MelSpectrogram()) != cache_key(Tones(), LyonCochleagram())


def test_a_change_of_the_corpus_is_computed_anew(tmp_path):
    tones = Tones()
    compute(tones, tmp_path)
    tones.reads, tones.version = 0, "2"
    compute(tones, tmp_path)
    assert tones.reads == 10


@pytest.mark.parametrize(
    "damage", ["cut", "empty", "text", "npz", "object", "header", "nan", "above", "below", "shape", "float64"]
)
def test_a_damaged_file_is_rebuilt(tmp_path, damage):
    expected = compute(Tones(), tmp_path).clone()
    (file,) = tmp_path.iterdir()
    array = np.load(file)
    if damage in ("cut", "empty", "text", "header"):
        whole = file.read_bytes()
        header = whole.replace(b"(10, 20, 30), }", b"(10, 20, 30, , ")
        file.write_bytes({"cut": whole[:5000], "empty": b"", "text": b"text", "header": header}[damage])
    elif damage == "npz":
        np.savez(file.with_suffix(".npz"), array)
        file.with_suffix(".npz").rename(file)
    elif damage == "object":
        np.save(file, array.astype(object))
    else:
        array[3, 2, 1] = {"nan": np.nan, "above": 2, "below": -1}.get(damage, 0)
        array = {"shape": array[1:], "float64": array.astype(np.float64)}.get(damage, array)
        np.save(file, array)
    assert torch.equal(compute(Tones(), tmp_path), expected)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_cannot_be_read_is_rebuilt(tmp_path):
    expected = compute(Tones(), tmp_path).clone()
    (file,) = tmp_path.iterdir()
    file.chmod(0)
    assert torch.equal(compute(Tones(), tmp_path), expected)


def test_a_folder_in_the_files_place_is_let_be(tmp_path):
    expected = compute(Tones(), tmp_path).clone()
    (file,) = tmp_path.iterdir()
    file.unlink()
    file.mkdir()
    (file / "mine").write_text("kept")
    assert torch.equal(compute(Tones(), tmp_path), expected)
    tones = Tones()
    assert torch.equal(compute(tones, tmp_path), expected)
    assert tones.reads == 0
    assert (file / "mine").read_text() == "kept"


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, small_files):
    with small_files(10_000), pytest.raises(InputError, match=r"Expected to write .*npy, got File too large"):
        compute(Tones(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_front_end_whose_pictures_are_none_is_named(tmp_path):
    class Broken(MelSpectrogram):
        def analyse(self, waveform):
            return super().analyse(waveform) * float("nan")

    with pytest.raises(InputError, match=r"pictures of shape \[39, 100\] in \[0, 1\] from Broken"):
        compute(Tones(), tmp_path, Broken())


class Plain(FrontEnd):
    """No Fourier transform, so that a forked process may compute it."""

    def __init__(self):
        super().__init__(sample_rate=8000, frames=30, fit="pad", trim_db=200.0)

    @property
    def shape(self):
        return 2, 30

    def analyse(self, waveform):
        return torch.stack([waveform[:30], waveform[:30] / 2]).clamp(0, 1)


def build_slowly(folder, at_it, go_on):
    class Slow(Tones):
        def __getitem__(self, index):
            if index == 5:
                at_it.set()
                go_on.wait(60)
            return super().__getitem__(index)

    compute(Slow(), folder, Plain())


def test_builds_that_are_killed_or_at_work_elsewhere_disturb_nobody(tmp_path):
    fork = multiprocessing.get_context("fork")
    events = [(fork.Event(), fork.Event()) for _ in range(2)]
    killed, working = (fork.Process(target=build_slowly, args=(tmp_path, *pair)) for pair in events)
    for process, (at_it, _) in zip((killed, working), events, strict=True):
        process.start()
        assert at_it.wait(60)
    killed.kill()
    killed.join()
    assert len(list(tmp_path.iterdir())) == 2  # their drafts
    pictures = compute(Tones(), tmp_path, Plain()).clone()
    assert len(list(tmp_path.iterdir())) == 2  # the file, and the draft of the process at work
    events[1][1].set()
    working.join(60)
    assert working.exitcode == 0
    assert len(list(tmp_path.iterdir())) == 1
    tones = Tones()
    assert torch.equal(compute(tones, tmp_path, Plain()), pictures)
    assert tones.reads == 0


def test_an_interruption_leaves_nothing(tmp_path):
    class Broken(Tones):
        def __getitem__(self, index):
            if index == 5:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    threads = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        compute(Broken(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert torch.get_num_threads() == threads


def test_pictures_are_made_on_one_thread_and_all_are_used_again_afterwards(tmp_path):
    class Counting(Tones):
        threads = set()

        def __getitem__(self, index):
            self.threads.add(torch.get_num_threads())
            return super().__getitem__(index)

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        compute(Counting(), tmp_path)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert Counting.threads == {1}


def test_progress_is_shown_unless_it_is_not_wanted(tmp_path, capsys):
    spectrograms(Tones(), FRONT_END, cache=tmp_path / "shown")
    assert "MelSpectrogram of Tones: 100%" in capsys.readouterr().err
    compute(Tones(), tmp_path / "silent")
    assert capsys.readouterr().err == ""


def test_the_key_is_written_out_so_that_what_an_earlier_version_kept_is_found():
    class Settings(Plain):
        def config(self):
            return {"b": 2, "a": 1}

    facts = f'["{Tones().fingerprint()}", 8000, {{"a": 1, "b": 2}}, {Plain.FORMAT}]'
    assert cache_key(Tones(), Settings()) == hashlib.sha256(facts.encode()).hexdigest()


def test_the_default_folder_is_the_cache(no_data):
    spectrograms(Tones(), FRONT_END, progress=False)
    assert len(list((no_data / "spectrograms").iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Expected to write"):
        compute(Tones(), tmp_path / "file" / "folder")

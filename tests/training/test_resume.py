"""A run killed by SIGKILL and resumed ends with the bits of the run that nobody killed."""

import shutil
import signal

import pytest

import snn_synth.training
from snn_synth.training.base import LitModule
from tests.processes import exit_codes
from tests.training import resume_child
from tests.training.resumed import assert_same_run, diary, result
from tests.training.tiny import firing_autoencoder, write_fsdd


@pytest.fixture
def train(fresh_process):
    """Run resume_child.run in a process of its own and give its exit code."""

    def start(*arguments, **keywords):
        [code] = exit_codes(fresh_process(resume_child.run, *arguments, **keywords))
        return code

    return start


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_autoencoder_resumes_bit_for_bit(train, tmp_path, rule):
    job = ("autoencoder", rule)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(job, whole) == 0
    passes = 1 if rule == "bptt" else 3  # of the 5 time steps
    deaths = [
        ("step", 0, 5, passes),  # after a checkpoint within the first epoch, made just before a validation
        ("save", 2),  # of this process: at batch 8 of epoch 0, the last one within that epoch
        ("epoch", 0),
        ("validation", 1, 4),  # at a batch at which a checkpoint is due: it must not be one without this validation
        ("step", 1, 9, passes),  # in the ragged batch
        ("save", 1),  # the one at the end of epoch 1: the file must still be the one before
        ("epoch", 1),
        ("step", 2, 1, passes),  # before the first checkpoint of epoch 2
    ]
    for number, death in enumerate(deaths):
        assert train(job, killed, death, resume=number > 0) == -signal.SIGKILL, death
    assert train(job, killed, resume=True) == 0

    assert len([place for place in diary(whole) if place[0] == "train"]) == resume_child.EPOCHS * 10
    assert_same_run(killed, whole)


@pytest.mark.slow
@pytest.mark.parametrize("kind", resume_child.GENERATORS)
def test_a_generator_resumes_bit_for_bit(train, tmp_path, kind):
    job = ("generator", kind)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(job, whole) == 0
    assert train(job, killed, ("step", 1, 5, 1)) == -signal.SIGKILL
    assert train(job, killed, resume=True) == 0
    assert_same_run(killed, whole)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    return write_fsdd(tmp_path / "data")


@pytest.mark.slow
def test_the_condition_of_spoken_words_resumes_bit_for_bit(train, tmp_path, root):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(("spoken", root), whole) == 0
    assert train(("spoken", root), killed, ("step", 1, 3, 1)) == -signal.SIGKILL
    assert train(("spoken", root), killed, resume=True) == 0
    assert_same_run(killed, whole)


@pytest.mark.slow
def test_the_audiocoder_of_pixels_resumes_bit_for_bit(train, tmp_path, root):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    job = ("audiocoder ANN", root)
    assert train(job, whole) == 0
    assert train(job, killed, ("step", 1, 3, 1)) == -signal.SIGKILL
    assert train(job, killed, resume=True) == 0
    assert_same_run(killed, whole)


@pytest.mark.slow
@pytest.mark.parametrize("kind", resume_child.AUDIOCODERS)
def test_audiocoder_resumes_bit_for_bit_without_the_autoencoders_folder(train, tmp_path, root, kind):
    firing_autoencoder(784, 16).save_pretrained(tmp_path / "autoencoder")
    job = ("audiocoder", root, str(tmp_path / "autoencoder"), kind)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert train(job, whole) == 0
    assert train(job, killed, ("step", 1, 3, 1)) == -signal.SIGKILL
    shutil.rmtree(tmp_path / "autoencoder")
    assert train(("audiocoder", root, None, kind), killed, resume=True) == 0
    assert not (killed / "autoencoder").exists()  # none was trained instead
    assert_same_run(killed, whole)
    assert result(whole)["metrics"][0].keys() == {"test/standardized_mse", "test/spike_mse", "test/nearest_class"}


def test_every_lightning_module_is_among_them(tmp_path):
    root = write_fsdd(tmp_path)
    firing_autoencoder(784, 16).save_pretrained(tmp_path / "autoencoder")
    jobs = resume_child.jobs(root, str(tmp_path / "autoencoder"))
    trained = {type(resume_child.JOBS[kind](*settings)[0]) for kind, *settings in jobs.values()}
    everything = [getattr(snn_synth.training, name) for name in snn_synth.training.__all__]
    assert trained == {one for one in everything if isinstance(one, type) and issubclass(one, LitModule)}

"""A run of every LightningModule, killed at random moments: it ends with the bits of the run that nobody killed."""

import pytest

from tests.training import resume_child
from tests.training.resumed import assert_same_run
from tests.training.tiny import firing_autoencoder, write_fsdd
from tests.trust.kills import KILLS, kill_at_random, timed

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not KILLS, reason="make trust")]


@pytest.mark.parametrize("kind", resume_child.jobs(None, None))
def test_a_run_ends_with_the_bits_of_one_that_nobody_killed(kind, fresh_process, tmp_path, monkeypatch, tried):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    root = write_fsdd(tmp_path / "data")
    firing_autoencoder(784, 16).save_pretrained(tmp_path / "autoencoder")
    job = resume_child.jobs(root, str(tmp_path / "autoencoder"))[kind]
    whole = tmp_path / "whole"
    seconds = timed(lambda: fresh_process(resume_child.run, job, whole))

    def start(run):
        folder = tmp_path / str(run)
        return fresh_process(resume_child.run, job, folder, resume=(folder / "resume.ckpt").is_file())

    kill_at_random(
        start,
        lambda run: assert_same_run(tmp_path / str(run), whole),
        seconds,
        seed=len(kind),
        count=lambda killed: tried("SIGKILL of a training, of every LightningModule and rule", killed),
    )

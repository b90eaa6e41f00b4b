"""A long `fit` with W&B and checkpoints: after the first third it holds no more memory, files and threads than before.

Memory is what the process has of its own (RssAnon). It is looked at after each epoch, so that a slow machine's first
third holds the caches that fill up, too; medians leave out the peaks of single batches.
"""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import alone, write_idx  # noqa: F401  (a fixture, which comes by itself)
from tests.processes import command
from tests.trust import commands
from tests.trust.watching import PROC, children, files_below, growth, held

N = int(os.environ.get("SNN_SYNTH_TRUST", "0"))
SECONDS = max(20, round(1.8 * N))  # of each rule at least: an hour in all with N = 1000
EPOCHS = 30  # at least
RULES = {"bptt": ["--config=ae_mnist"], "online": ["--config=ae_mnist", "--config=ae_mnist_online"]}
COME_AND_GO = 3  # files and threads that are there for a moment; one for each epoch would be ten or more
# Bytes that memory may grow by. Measured: 25 million in eight epochs, then 3.5 million, most at once, in ten more; a
# list that keeps every batch grows by 17 million from one third of thirty epochs to the next.
MOST = 6_000_000
IMAGES = 600  # of which nine tenths train: 54 batches and a checkpoint in an epoch

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not N or not PROC.exists(), reason="make trust, with /proc")]


@pytest.fixture
def watched(fresh_process, tmp_path, monkeypatch):
    """Runs a fit, and tells what it has held and written at each checkpoint."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0)
    for part, count in (("train", IMAGES), ("t10k", 20)):
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.arange(count) % 10)
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", noise.integers(0, 256, (count, 28, 28)))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("WANDB_MODE", "offline")

    def run(function, rule, *options):
        words = ["fit", *RULES[rule], f"--data.root={tmp_path / 'data'}", "--data.batch_size=10", *options]
        words += ["--trainer.default_root_dir=run", "--trainer.accelerator=cpu"]
        process, found, seen = fresh_process(function, words), [], None
        checkpoint = Path("run") / "resume.ckpt"
        while process.is_alive():
            process.join(0.05)
            if checkpoint.exists() and (now := checkpoint.stat().st_mtime_ns) != seen:
                found.append(all_of(process.pid, Path("run"), tmp_path / "temporary"))
                seen = now
        assert process.exitcode == 0
        return found[:-1]  # after the last it reads the test set

    return run


def all_of(pid, folder, temporary):
    """What a process and its children hold, and how many files are there, but for the pictures of each epoch."""
    written = [path for path in files_below(folder) if not {"images", "media"} & set(path.parts)]
    return {
        **held(pid),
        "files of children": held(*children(pid))["files"],
        "children": len(children(pid)),
        "in the run's folder": len(written),
        "in the temporary folder": len(files_below(temporary)),
    }


def grown(found):
    """By how much each has grown."""
    assert len(found) >= 9, f"only {len(found)} looks at the training"
    return {what: growth([one[what] for one in found]) for what in found[0]}


@pytest.mark.parametrize("rule", RULES)
def test_memory_files_and_threads_stay(rule, watched, tried):
    minutes, seconds = divmod(SECONDS, 60)
    limit = f"--trainer.max_time=00:{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    found = watched(command, rule, limit, f"--trainer.min_epochs={EPOCHS}", "--trainer.max_epochs=1000000")
    more = grown(found)
    print(f"{found[len(found) // 3]} after a third, {found[-1]} in the end; by medians {more}")
    tried("minutes of training watched for leaks", max(1, SECONDS // 60))
    assert more.pop("bytes") < MOST
    assert all(value <= COME_AND_GO for value in more.values()), more


@pytest.mark.parametrize(("what", "epochs", "bound"), [("bytes", EPOCHS, MOST), ("files", EPOCHS // 2, 10)])
def test_a_leak_of_each_batch_is_noticed(what, epochs, bound, watched, tried):
    more = grown(watched(partial(commands.leaking_fit, what), "bptt", f"--trainer.max_epochs={epochs}"))
    print(more)
    tried("leaks made on purpose", 1)
    assert more[what] > bound

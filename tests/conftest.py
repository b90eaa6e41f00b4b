import contextlib
import multiprocessing
import os
import resource
from multiprocessing import forkserver
from pathlib import Path

import pytest

from tests import processes


@pytest.fixture
def small_files():
    """Within the block no file may grow beyond so many bytes: what a full disk does, without one."""

    @contextlib.contextmanager
    def limited(size):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture(scope="session")
def fresh_process():
    """Makes processes that call a function; a server that has imported torch and Lightning once forks them."""
    context = multiprocessing.get_context("forkserver")
    children = [f"tests.training.{child}" for child in ("resume_child", "ddp_child", "wandb_child")]
    context.set_forkserver_preload(["snn_synth.cli.trainer", "tests.experiments.sweep.sweep_child", *children])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # for the server
        patch.setenv("OMP_NUM_THREADS", "1")  # a process that has started OpenMP's threads must not be forked
        forkserver.ensure_running()

    def start(function, *arguments, streams=None, **keywords):
        """The process; ``streams`` are the paths of its standard input (a terminal's, say) and of what it prints."""
        here = (os.getcwd(), dict(os.environ), streams)
        process = context.Process(target=processes.call, args=(*here, function, *arguments), kwargs=keywords)
        process.start()
        return process

    return start

import multiprocessing
import os
from multiprocessing import forkserver
from pathlib import Path

import pytest

from tests.training import tiny


@pytest.fixture(scope="session")
def fresh_process():
    """Makes processes that call a function; a server that has imported torch and Lightning once forks them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.resume_child", "tests.training.ddp_child"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # for the server
        forkserver.ensure_running()

    def start(function, *arguments, **keywords):
        arguments = (dict(os.environ), function, *arguments)
        process = context.Process(target=tiny.call, args=arguments, kwargs=keywords)
        process.start()
        return process

    return start

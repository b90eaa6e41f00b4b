"""What the processes that tests start run first."""

import atexit
import glob
import os
import re
import shlex
import signal
import socket
import sys

from snn_synth.cli import main


def call(folder, environment, streams, function, *arguments, **keywords):
    """Call a function in this folder, under these environment variables, and with (input, output) as its streams."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.environ.pop("WANDB_SERVICE", None)  # the test's own, which another program would not find
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and their children
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # so do those of nohup
    if streams:
        source, output = streams
        os.dup2(os.open(source, os.O_RDONLY), 0)
        for stream in (1, 2):
            os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  (a child of multiprocessing reads from nowhere)
    try:
        function(*arguments, **keywords)
    finally:
        atexit._run_exitfuncs()  # a program runs them (W&B ends its run there), a child of multiprocessing does not


def exit_codes(*processes, seconds=120):
    """How each of them ended; what still runs after so long is killed."""
    for process in processes:
        process.join(seconds)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


def free_port():
    """A port on which processes of this machine may meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command(words):
    """``snn-synth`` with these words."""
    sys.exit(main(words))


def shell(line):
    """``snn-synth`` with the words of a line of bash; those with a star are files."""
    words = shlex.split(line.replace("\\\n", " "), comments=True)[1:]
    command([file for word in words for file in (sorted(glob.glob(word)) if "*" in word else [word])])


def python(source):
    """A program, as ``python -c`` runs it."""
    exec(compile(source, "<string>", "exec"), {"__name__": "__main__"})


def blocks(page, heading, language):
    """The blocks of code in this language below a heading of second level, in Markdown."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.M | re.S)

"""Which command is meant, and what becomes of its errors."""

import importlib
import sys
from collections.abc import Sequence
from difflib import get_close_matches

import snn_synth
from snn_synth.cli.parsers import PARSERS, overview
from snn_synth.cli.signals import Stopped, exit_code, in_order, say, stops_told
from snn_synth.collection import no_collection
from snn_synth.errors import InputError

COMMANDS = {
    "fit": "snn_synth.cli.trainer",
    "validate": "snn_synth.cli.trainer",
    "test": "snn_synth.cli.trainer",
    "predict": "snn_synth.cli.trainer",
    "synthesize": "snn_synth.cli.synthesize",
    "reconstruct": "snn_synth.cli.reconstruct",
    "robustness": "snn_synth.cli.robustness",
    "export": "snn_synth.cli.export",
    "energy": "snn_synth.cli.energy",
    "demo": "snn_synth.cli.demo",
    "example": "snn_synth.cli.example",
    "web": "snn_synth.cli.web",
    "bench": "snn_synth.cli.bench",
    "reproduce": "snn_synth.cli.reproduce",
    "sweep": "snn_synth.cli.sweep",
}
AGAIN = {  # what the same command does after a stop
    "reproduce": "goes on from here",
    "sweep": "goes on from here",
    "demo": "starts anew",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after ``snn-synth``; those of this process if not given.

    Returns:
        The exit code: 0; 2 for bad input (one sentence on stderr); 130, 143 or 129 after Ctrl-C, SIGTERM or SIGHUP.

    Example:
        >>> main(["--version"])
        snn-synth ...
        0
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    came: list[Stopped] = []
    try:
        with in_order() as came, stops_told():
            return _dispatch(arguments)
    except KeyboardInterrupt as stop:
        return _stopped(arguments, stop)
    except SystemExit as end:
        # Lightning catches Ctrl-C to end a run in order, then leaves with exit code 1; after SIGTERM with none.
        stops = [end.__context__, *came]
        if lost := next((one for one in stops if isinstance(one, KeyboardInterrupt)), None):
            return _stopped(arguments, lost)
        raise
    except Exception as error:
        from snn_synth.cli.errors import sentence  # an error may cost an import, --help may not

        message = sentence(error)
        if message is None:  # a bug of ours: show where
            raise
        print(f"snn-synth: error: {message}", file=sys.stderr)
        return 2


def _stopped(argv: list[str], stop: KeyboardInterrupt) -> int:
    if then := AGAIN.get(next(iter(argv), "")):
        say(f"the same command {then}")
    return exit_code(stop)


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(overview())
    elif argv[0] == "--version":
        print(f"snn-synth {snn_synth.__version__}")
    elif argv[0] not in COMMANDS:
        meant = get_close_matches(argv[0], COMMANDS, n=1)
        guess = f": did you mean {meant[0]}?" if meant else ""
        raise InputError(f"Expected a command of {list(COMMANDS)}, got {argv[0]!r}{guess}")
    elif "-h" in argv or "--help" in argv:
        print(PARSERS[argv[0]]().format_help().rstrip())
    else:
        with no_collection():
            command = importlib.import_module(COMMANDS[argv[0]])
        command.run(argv)
    return 0

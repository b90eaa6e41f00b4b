"""``snn-synth export``: a trained network as a file for other tools."""

import importlib
from typing import NamedTuple

from snn_synth.cli.loading import load_network
from snn_synth.cli.parsers import PARSERS
from snn_synth.errors import InputError
from snn_synth.files import atomic_write


class Writer(NamedTuple):
    """What writes files of one suffix."""

    module: str
    """Its ``prepare(network, **options)`` checks and converts, and returns a function that writes the file."""
    options: tuple[str, ...]
    """Options of the command line that it takes; one that is not given is not passed on."""


WRITERS = {
    ".nir": Writer("snn_synth.interop.nir", ("dialect", "dt")),
    ".onnx": Writer("snn_synth.interop.onnx", ("form", "num_steps")),
}


def run(argv: list[str]) -> None:
    """Write the network of a model or a checkpoint; nothing is written before all of it has been converted."""
    arguments = vars(PARSERS["export"]().parse_args(argv[1:]))
    name, target = arguments.pop("model"), arguments.pop("to")

    if target.suffix not in WRITERS:
        raise InputError(f"Expected a file ending in one of {list(WRITERS)}, got {target}")
    if target.is_dir():
        raise InputError(f"Expected to write the file {target}, got a folder of that name")
    writer = WRITERS[target.suffix]
    given = {option: value for option, value in arguments.items() if value is not None}
    for option in given.keys() - set(writer.options):
        flag = "--" + option.replace("_", "-")
        raise InputError(f"Expected options of a {target.suffix} file, got {flag}, which is of another format")
    write = importlib.import_module(writer.module).prepare(load_network(name), **given)
    with atomic_write(target) as draft:
        write(draft)
    print(f"Wrote {target}")

"""``snn-synth example``: images, or spoken words and images of them, to train on."""

from snn_synth.cli.parsers import PARSERS
from snn_synth.errors import InputError, counted
from snn_synth.experiments.example_images import example_images
from snn_synth.experiments.example_words import example_words
from snn_synth.files import atomic_write

EXAMPLES = {"images": example_images, "words": example_words}


def run(argv: list[str]) -> None:
    """Write the files into a folder that has none; nothing is written before all have been made."""
    arguments = PARSERS["example"]().parse_args(argv[1:])
    folder = arguments.folder
    if folder.exists() and not folder.is_dir():
        raise InputError(f"Expected a folder for the example, got the file {folder}")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"Expected a new or an empty folder, got {folder}, which has files: give another one")
    files = EXAMPLES[arguments.what]()
    for path, content in files.items():
        with atomic_write(folder / path) as draft:
            draft.write_bytes(content)
    print(f"Wrote {counted(files, 'file')} into {folder}")

"""The command line ``snn-synth``; nothing heavy is imported before a command needs it."""

from snn_synth.cli.entry import main

__all__ = ["main"]

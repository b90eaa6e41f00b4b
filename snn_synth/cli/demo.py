"""``snn-synth demo``."""

from snn_synth.cli.parsers import PARSERS
from snn_synth.experiments import demo


def run(argv: list[str]) -> None:
    """Train the demo and write its report."""
    demo.run(PARSERS["demo"]().parse_args(argv[1:]).out)

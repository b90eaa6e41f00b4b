"""``snn-synth demo``."""

from pathlib import Path

from snn_synth.cli.arguments import Parser
from snn_synth.experiments import demo


def run(argv: list[str]) -> None:
    """Train the demo and write its report."""
    parser = Parser(prog="snn-synth demo", add_help=False)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"))
    demo.run(parser.parse_args(argv[1:]).out)

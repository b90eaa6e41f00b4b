"""``snn-synth web``: a page to try the trained networks on."""

from snn_synth.cli.parsers import PARSERS
from snn_synth.web.server import serve


def run(argv: list[str]) -> None:
    """Serve the page until Ctrl-C."""
    arguments = PARSERS["web"]().parse_args(argv[1:])
    serve(arguments.checkpoint, arguments.host, arguments.port)

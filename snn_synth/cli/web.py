"""``snn-synth web``: a page to try the trained networks on."""

from snn_synth.cli.arguments import Parser
from snn_synth.experiments.synthesis import SHIPPED
from snn_synth.web.server import serve


def run(argv: list[str]) -> None:
    """Serve the page until Ctrl-C."""
    parser = Parser(prog="snn-synth web", add_help=False)
    parser.add_argument("--checkpoint", default=SHIPPED)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7860)
    arguments = parser.parse_args(argv[1:])
    serve(arguments.checkpoint, arguments.host, arguments.port)

"""Serving the page: on this machine alone unless another address is given, without a request to any other."""

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

from snn_synth.errors import InputError
from snn_synth.experiments.synthesis import load
from snn_synth.web.uploads import tidied


def serve(checkpoint: str, host: str, port: int) -> None:
    """Serve until Ctrl-C.

    Args:
        checkpoint: the network that hears; see :func:`snn_synth.experiments.synthesis.load`.
        host: address to listen at; 127.0.0.1 is this machine alone, 0.0.0.0 every machine that reaches it.
        port: up to 65535; 0 takes one that is free.

    Raises:
        InputError: without Gradio, for a network without labels, or a port that cannot be had.
    """
    if not find_spec("gradio"):
        raise InputError(
            "Expected the package gradio (extra `web`) to serve the page, got none: pip install 'snn_synth[web]'"
        )
    source = load(checkpoint)
    if source.model.labels is None:
        raise InputError(f"Expected a network with labels, which says what it heard, got {checkpoint} without")
    with tempfile.TemporaryDirectory(prefix="snn-synth-web-") as folder:
        uploads = Path(folder, "uploads")  # gone when the server stops, and an hour after they came
        os.environ["GRADIO_TEMP_DIR"] = str(uploads)
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        from snn_synth.web.run import run

        with tidied(uploads):
            run(source, Path(folder), host, port)

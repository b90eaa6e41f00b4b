"""The page as an application, and its server."""

import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI

from snn_synth.errors import InputError
from snn_synth.experiments.synthesis import Source
from snn_synth.web.app import HERE, build
from snn_synth.web.samples import spoken

LARGEST = "10mb"  # of an upload
HEADERS = {
    # The visitor's browser refuses requests to other machines, whatever a version of Gradio would like to load.
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def run(source: Source, folder: Path, host: str, port: int) -> None:
    """Serve the page until Ctrl-C.

    Args:
        source: the network that hears.
        folder: for samples; uploads lie beside them.
        host: address to listen at.
        port: 0 takes one that is free.

    Raises:
        InputError: for an address that cannot be had.
    """
    try:
        if not 0 <= port < 2**16:  # or Python leaves a socket open
            raise OSError("a port is 0 to 65535")
        listener = socket.create_server((host, port))
    except OSError as error:
        raise InputError(
            f"Expected an address to listen at, got {host} port {port} ({error.strerror or error})"
        ) from None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # in order, as Ctrl-C ends it: uploads are deleted
    with listener:
        app = application(source, folder)
        print(f"Open http://{host}:{listener.getsockname()[1]} in a browser; Ctrl-C ends it", flush=True)
        # An open page keeps a connection, for which Ctrl-C would wait for ever.
        config = uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=1)
        uvicorn.Server(config).run([listener])


def application(source: Source, folder: Path) -> Callable[..., Any]:
    """The page as an ASGI application."""
    digits = source.model.labels == tuple("0123456789")
    samples = spoken(folder / "samples") if digits else []
    app = gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        build(source, samples),
        path="/",
        theme=gr.themes.Default(primary_hue="sky", font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        css_paths=HERE / "page.css",
        max_file_size=LARGEST,
        allowed_paths=[str(folder / "samples")],
        show_error=False,
        ssr_mode=False,
        footer_links=[],
        enable_monitoring=False,
    )
    return _with_headers(app)


def _with_headers(app: Callable[..., Any]) -> Callable[..., Any]:
    added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await app(scope, receive, sent)

    return answer

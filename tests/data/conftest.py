import http.server
import threading

import pytest


class Server:
    """A web server on this machine: paths to bytes, with ranges; a path in `truncated` closes halfway."""

    def __init__(self):
        self.files = {}
        self.truncated = set()
        self.lengths = {}  # what the header says, where it lies
        self.stalled = set()  # paths that send half and then nothing, until `go_on`
        self.go_on = threading.Event()
        self.ranges = True
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                outer.requests.append((self.path, wanted))
                if self.path not in outer.files:
                    self.send_error(404)
                    return
                content = outer.files[self.path]
                start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and outer.ranges else 0
                if start and start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", outer.lengths.get(self.path, str(len(content) - start)))
                self.end_headers()
                end = len(content) // 2 if self.path in outer.truncated | outer.stalled else len(content)
                self.wfile.write(content[start:end])
                if self.path in outer.stalled:
                    outer.go_on.wait(60)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def stop(self):
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """No data and an empty cache."""
    monkeypatch.delenv("SNN_SYNTH_DATA", raising=False)
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"

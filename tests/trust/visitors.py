"""Visitors of `snn-synth web` without a browser: the requests that its page sends when somebody opens a sound file.

Gradio's own client calls only what a page offers as an API, and this page offers nothing.
"""

import html
import json
import re
import socket
import uuid
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

LONGEST = 600  # seconds that an answer may take, on a machine that does other things, too


class Page:
    """What is told to every visitor: which event comes after an upload, and which after that."""

    def __init__(self, url):
        self.url = url
        with urlopen(f"{url}/config", timeout=LONGEST) as answer:
            events = json.load(answer)["dependencies"]
        self.opened = next(one["id"] for one in events if one["targets"][0][1] == "upload")
        self.drawn = next(one["id"] for one in events if one["trigger_after"] == self.opened)

    def visit(self, file, num_steps=10):
        """Open a sound file: what the page says in the end, or why the upload is refused."""
        body, kind = form(file)
        try:
            (path,) = self._post("upload", body, kind)
        except HTTPError as error:
            return error.read().decode()
        sent = {"path": path, "orig_name": file.name, "size": len(body), "meta": {"_type": "gradio.FileData"}}
        (audio,) = self._event(self.opened, [sent])
        said, *_ = self._event(self.drawn, [audio, num_steps, 0.1])
        return html.unescape(re.sub("<[^>]*>", "", said))

    def break_off(self, file):
        """Begin to send a file, and go away in the middle."""
        body, kind = form(file)
        place = urlsplit(self.url)
        head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: {kind}\r\n"
        with socket.create_connection((place.hostname, place.port), LONGEST) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2])

    def _post(self, path, body, kind="application/json"):
        request = Request(f"{self.url}/gradio_api/{path}", body, {"Content-Type": kind})
        with urlopen(request, timeout=LONGEST) as answer:
            return json.load(answer)

    def _event(self, number, data):
        """The last output of an event. Each has a session of its own, whose stream ends with it."""
        session = uuid.uuid4().hex
        asked = {"data": data, "fn_index": number, "session_hash": session, "event_data": None, "trigger_id": None}
        self._post("queue/join", json.dumps(asked).encode())
        with urlopen(f"{self.url}/gradio_api/queue/data?session_hash={session}", timeout=LONGEST) as stream:
            said = [json.loads(line[5:]) for line in stream if line.startswith(b"data:")]
        (done,) = (one for one in said if one["msg"] == "process_completed")
        assert done["success"], done["output"]
        return done["output"]["data"]


def form(file):
    """A file as a browser sends it, and the content type of that."""
    border = uuid.uuid4().hex
    head = f'--{border}\r\nContent-Disposition: form-data; name="files"; filename="{file.name}"\r\n\r\n'
    body = head.encode() + file.read_bytes() + f"\r\n--{border}--\r\n".encode()
    return body, f"multipart/form-data; boundary={border}"

"""Headless Chromium, driven by its DevTools protocol over a pipe: the distribution's package is all it takes.

https://chromedevtools.github.io/devtools-protocol/: with `--remote-debugging-pipe`, messages are JSON that end in a
zero byte, read from file descriptor 3 and written to 4.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WITHOUT = "no Chromium is installed: apt-get install chromium"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Browser:
    """One page at a time, of several. Each request that would leave this machine is refused, and kept in `outside`."""

    def __init__(self, *flags, width=1100, height=900):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        there, self._write = os.pipe()
        self._read, here = os.pipe()
        self.process = subprocess.Popen(
            [
                "bash", "-c", f'exec "$@" 3<&{there} 4>&{here}', "chromium", CHROMIUM,
                "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-dev-shm-usage", "--disable-gpu",
                "--disable-background-networking", "--disable-component-update", "--no-first-run", "--mute-audio",
                f"--user-data-dir={self.profile.name}", *flags, "about:blank",
            ],
            pass_fds=(there, here),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(there)
        os.close(here)
        self._buffer, self._count = b"", 0
        self.requests, self.errors, self._answers = [], [], {}
        self._size = width, height
        self.tab()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        os.close(self._write)
        os.close(self._read)
        self.profile.cleanup()

    def tab(self):
        """Open another page, and go on with it; `use(tab)` goes back to one."""
        self._session = None
        page = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Network"):
            self.send(f"{domain}.enable")
        self.send("Page.setBypassCSP", enabled=True)  # a page's policy would hide what it would like to load
        self.send("Fetch.enable", patterns=[{"urlPattern": "*"}])
        self.resize(*self._size)
        return self._session

    def use(self, tab):
        self._session = tab

    @property
    def outside(self):
        """Addresses of other machines that the page asked for."""
        local = ("data", "blob", "about")
        parts = [(url, urlsplit(url)) for url in self.requests]
        return [url for url, part in parts if part.scheme not in local and part.hostname not in LOOPBACK]

    def send(self, method, timeout=60, **parameters):
        """Call a method of the protocol and wait for its result."""
        number = self._post(method, parameters, self._session)
        end = time.monotonic() + timeout
        while number not in self._answers:
            self._receive(end - time.monotonic())
        answer = self._answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _post(self, method, parameters, session):
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        content = json.dumps(message).encode() + b"\0"
        while content:
            content = content[os.write(self._write, content) :]
        return self._count

    def _receive(self, seconds):
        if seconds <= 0 or not select.select([self._read], [], [], seconds)[0]:
            raise TimeoutError("Chromium did not answer")
        chunk = os.read(self._read, 1 << 20)
        if not chunk:
            raise RuntimeError("Chromium has ended")
        *messages, self._buffer = (self._buffer + chunk).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            elif message["method"] == "Fetch.requestPaused":
                self._decide(message["params"], message["sessionId"])
            elif message["method"] == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            elif message["method"] == "Network.webSocketCreated":
                self.requests.append(message["params"]["url"])

    def _decide(self, request, session):
        self.requests.append(request["request"]["url"])
        reply, verdict = {"requestId": request["requestId"]}, "Fetch.continueRequest"
        if self.requests[-1] in self.outside:
            reply["errorReason"], verdict = "AddressUnreachable", "Fetch.failRequest"
        self._post(verdict, reply, session)

    def open(self, url):
        self.send("Page.navigate", url=url)
        self.wait("document.readyState == 'complete'")

    def run(self, script):
        """The value of a JavaScript expression; a promise is waited for."""
        result = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, timeout=120)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def wait(self, condition, seconds=60):
        """Until an expression is true (an element is, too); its value, or True for what has none."""
        end = time.monotonic() + seconds
        while not (value := self.run(f"(it => it instanceof Node ? true : it)({condition})")):
            if time.monotonic() > end:
                raise TimeoutError(f"{condition}, on a page that says: {self.run('document.body.innerText')[:2000]}")
            time.sleep(0.05)
        return value

    def upload(self, selector, path):
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def press(self, key, code=None, text=""):
        """A key of the keyboard: Tab, Enter, ArrowRight, ..."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        event = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes[key]}
        text = {"Enter": "\r", " ": " "}.get(key, text)
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def resize(self, width, height, scale=1):
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        self.send("Emulation.setDeviceMetricsOverride", **size)

    def colours(self, scheme, reduced_motion=False):
        """Light or dark, and whether the visitor wants things to move."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        features += [{"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"}]
        self.send("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path, whole=True):
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def fits(self):
        """Whether nothing is wider than the window."""
        return self.run("document.documentElement.scrollWidth <= window.innerWidth")

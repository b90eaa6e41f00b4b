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
    """One page. Each request that would leave this machine is refused, and kept in `outside`."""

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
        self._buffer, self._count, self._session = b"", 0, None
        self.requests, self.errors, self._answers = [], [], {}
        targets = self.send("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        self._session = self.send("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Network"):
            self.send(f"{domain}.enable")
        self.send("Fetch.enable", patterns=[{"urlPattern": "*"}])
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        os.close(self._write)
        os.close(self._read)
        self.profile.cleanup()

    @property
    def outside(self):
        """Addresses of other machines that the page asked for."""
        return [url for url in self.requests if urlsplit(url).scheme not in ("data", "blob", "about") and
                urlsplit(url).hostname not in LOOPBACK]  # fmt: skip

    def send(self, method, timeout=60, **parameters):
        """Call a method of the protocol and wait for its result."""
        number = self._post(method, parameters)
        end = time.monotonic() + timeout
        while number not in self._answers:
            self._receive(end - time.monotonic())
        answer = self._answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _post(self, method, parameters):
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
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
                self._judge(message["params"])
            elif message["method"] == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            elif message["method"] == "Network.webSocketCreated":
                self.requests.append(message["params"]["url"])

    def _judge(self, request):
        url = request["request"]["url"]
        self.requests.append(url)
        if url in self.outside:
            self._post("Fetch.failRequest", {"requestId": request["requestId"], "errorReason": "AddressUnreachable"})
        else:
            self._post("Fetch.continueRequest", {"requestId": request["requestId"]})

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
        """Until an expression is true; its value."""
        end = time.monotonic() + seconds
        while not (value := self.run(condition)):
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
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39, "ArrowLeft": 37}
        event = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes[key]}
        text = {"Enter": "\r", " ": " "}.get(key, text)
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def resize(self, width, height, scale=1):
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 600
        )

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

"""A stand-in of the Hugging Face Hub on loopback: as much of its HTTP interface as a download and an upload use."""

import base64
import hashlib
import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

TOKEN = "hf_of_the_owner"


class Hub:
    """Repositories: of each name its branches, and of each of them its files."""

    def __init__(self):
        self.repos = {}
        self.private, self.gated, self.down = set(), set(), set()
        self.requests = []

    def add(self, name, files, branch="main"):
        self.repos.setdefault(name, {})[branch] = dict(files)

    def sha(self, name, branch):
        content = repr(sorted(self.repos[name][branch].items())).encode()
        return hashlib.sha1(content + branch.encode()).hexdigest()

    def find(self, name, revision):
        """The branch of a revision: its name or its commit."""
        for branch in self.repos[name]:
            if revision in (branch, self.sha(name, branch)):
                return branch
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args):
        pass

    def answer(self, status, content=b"", **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refused(self, name, writes=False):
        """Whether this user may not; the answer is given then, as the Hub gives it."""
        owner = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if name in self.hub.down:
            self.answer(500)
        elif name not in self.hub.repos or (name in self.hub.private and not owner):
            self.answer(404 if owner else 401, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")
        elif name in self.hub.gated and not owner:
            self.answer(403, X_Error_Code="GatedRepo", X_Error_Message="Access to this model is restricted")
        elif writes and not owner:
            self.answer(403, X_Error_Message="Forbidden: you have no write access")
        else:
            return False
        return True

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.hub.requests.append(f"{self.command} {path}")
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            name, kind, revision = found[1], found[2], found[3] or "main"
            if self.refused(name):
                return None
            branch = self.hub.find(name, revision)
            if branch is None:
                return self.answer(404, X_Error_Code="RevisionNotFound", X_Error_Message="Invalid rev id")
            files = self.hub.repos[name][branch]
            if kind == "tree":
                listed = [
                    {"type": "file", "path": path, "size": len(x), "oid": hashlib.sha1(x).hexdigest()}
                    for path, x in files.items()
                ]
                return self.answer(200, listed, Content_Type="application/json")
            siblings = [{"rfilename": path} for path in files]
            info = {"id": name, "modelId": name, "sha": self.hub.sha(name, branch), "siblings": siblings}
            return self.answer(200, info, Content_Type="application/json")
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            name, revision, file = found.groups()
            if self.refused(name):
                return None
            branch = self.hub.find(name, revision)
            content = None if branch is None else self.hub.repos[name][branch].get(file)
            if content is None:
                return self.answer(404, X_Error_Code="EntryNotFound")
            etag = hashlib.sha1(content).hexdigest()
            return self.answer(200, content, ETag=f'"{etag}"', X_Repo_Commit=self.hub.sha(name, branch))
        return self.answer(404)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self):
        self.hub.requests.append(f"{self.command} {self.path.partition('?')[0]}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(branch|preupload|commit)/(.+)", path)
        if found is None:
            return self.answer(404)
        name, kind, branch = found.groups()
        if self.refused(name, writes=True):
            return None
        branches = self.hub.repos[name]
        if kind == "branch":
            if branch in branches:
                return self.answer(409)
            branches[branch] = dict(branches["main"])
            return self.answer(200, {})
        if branch not in branches:
            return self.answer(404, X_Error_Code="RevisionNotFound")
        if kind == "preupload":
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            return self.answer(200, {"files": files})
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                branches[branch][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        sha = self.hub.sha(name, branch)
        url = f"http://{self.headers['Host']}/{name}/commit/{sha}"
        return self.answer(200, {"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})

    def create(self, wanted):
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, X_Error_Message="Invalid username or password.")
        name = f"{wanted.get('organization', 'me')}/{wanted['name']}"
        url = {"url": f"http://{self.headers['Host']}/{name}"}
        if name in self.hub.repos:
            return self.answer(409, url)
        self.hub.add(name, {".gitattributes": b""})
        if wanted.get("private") or wanted.get("visibility") == "private":
            self.hub.private.add(name)
        return self.answer(200, url)


@contextmanager
def hub_on_loopback():
    """The Hub and its address, for the time of a ``with`` block."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OfThisHub", (Handler,), {"hub": hub}))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

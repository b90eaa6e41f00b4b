import json

from snn_synth.data import read_manifest
from tests.fuzz.harness import fuzz

CSV = 'path,label,speaker,split\n"a.wav",cat,ann,train\nb.wav,"d,og",bob,test\n'.encode("utf-8-sig")
JSONL = b"".join(
    json.dumps({"path": name, "label": label, "more": [1, {"a": 2}]}).encode() + b"\n"
    for name, label in (("a.wav", "cat"), ("b.wav", 7))
)


def test_damaged_manifests(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    words = [b",", b";", b"\t", b'"', b"path", b"label", b"a.wav", b"\r", b"{}", b'{"path":', b"\xff", b"null"]
    fuzz(read_manifest, [CSV, JSONL], tmp_path / "words", words=words)

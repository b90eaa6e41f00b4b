"""What `make audit` says, with a pip-audit that answers as the real one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).with_name("audit.py")
FAKE = """
import json, pathlib, sys
pathlib.Path({seen!r}).write_text(json.dumps(sys.argv[1:]))
sys.stdout.write({out!r})
sys.stderr.write({err!r})
sys.exit({status})
"""
GOOD = {"name": "numpy", "version": "2.4.0", "vulns": []}
BAD = {
    "name": "requests",
    "version": "2.31.0",
    "vulns": [
        {"id": "GHSA-1", "fix_versions": ["2.32.0"], "aliases": ["CVE-1"], "description": "Reads too much."},
        {"id": "GHSA-2", "fix_versions": [], "aliases": [], "description": "Says too much."},
    ],
}
SKIPPED = {"name": "ours", "skip_reason": "not a version"}


@pytest.fixture
def audit(tmp_path):
    """The script's exit status and output, where pip-audit prints this and ends with that status."""

    def run(out="", err="", status=0):
        (tmp_path / "pip_audit.py").write_text(
            FAKE.format(seen=str(tmp_path / "seen"), out=out, err=err, status=status)
        )
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run([sys.executable, AUDIT], env=environment, capture_output=True, text=True)
        assert not done.stderr
        return done.returncode, done.stdout

    return run


def test_none_is_known(audit, tmp_path):
    status, out = audit(json.dumps({"dependencies": [GOOD, GOOD], "fixes": []}), "No known vulnerabilities found")
    assert (status, out) == (0, "Known vulnerabilities: 0, in 2 pinned versions\n")
    seen = json.loads((tmp_path / "seen").read_text())
    assert Path(seen[seen.index("--requirement") + 1]) == AUDIT.parents[1] / "constraints.txt"


def test_each_that_is_known_is_named(audit):
    answer = json.dumps({"dependencies": [GOOD, BAD, SKIPPED], "fixes": []})
    status, out = audit(answer, "Found 2 known vulnerabilities in 1 package", 1)
    assert status == 1
    assert out.splitlines() == [
        "Not looked up: ours: not a version",
        "requests 2.31.0: GHSA-1, CVE-1; mended in 2.32.0",
        "requests 2.31.0: GHSA-2; mended in no version",
        "Known vulnerabilities: 2, in 3 pinned versions",
    ]


@pytest.mark.parametrize(
    ("out", "err", "said"),
    [
        ("", "Traceback ...\n\nConnectionError: no such host\n", "ConnectionError: no such host"),
        ("", "", "no answer"),
        ('{"dependencies": [', "Killed", "Killed"),
        ("{}", "ERROR: another form", "ERROR: another form"),
    ],
)
def test_without_an_answer_it_says_so_in_one_line_and_has_another_status(audit, out, err, said):
    assert audit(out, err, 1) == (3, f"Could not look: {said}\n")

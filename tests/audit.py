"""Known vulnerabilities of the versions that constraints.txt pins, as pip-audit finds them: `python tests/audit.py`.

The exit status is 0 where none is known, 1 where one is, and 3 where pip-audit gave no answer: no network, say.
"""

import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
# Nothing is resolved or installed: each pin alone is looked up.
COMMAND = [sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip"]
COMMAND += ["--vulnerability-service", "osv", "--format", "json", "--progress-spinner", "off"]


def main() -> int:
    done = subprocess.run(COMMAND, capture_output=True, text=True)
    try:  # its own status is 1 for a vulnerability and for a failure
        pins = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print("Could not look:", (done.stderr.strip() or "no answer").splitlines()[-1])
        return 3
    for pin in pins:
        if "skip_reason" in pin:
            print(f"Not looked up: {pin['name']}: {pin['skip_reason']}")
    found = [(pin, one) for pin in pins for one in pin.get("vulns", [])]
    for pin, one in found:
        names, mended = ", ".join([one["id"], *one["aliases"]]), ", ".join(one["fix_versions"]) or "no version"
        print(f"{pin['name']} {pin['version']}: {names}; mended in {mended}")
    print(f"Known vulnerabilities: {len(found)}, in {len(pins)} pinned versions")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

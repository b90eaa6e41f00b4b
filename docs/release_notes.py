"""The section of CHANGELOG.md that a release on GitHub shows: ``python docs/release_notes.py 0.2.0``."""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"
FILES = "https://github.com/snn-synth/snn_synth/blob"


def notes(changelog: str, version: str) -> str:
    r"""A version's section, as it reads outside the repository.

    Links lead to the files of its tag. A paragraph is one line, for GitHub breaks a release's text where its lines end.

    Raises:
        ValueError: if there is no such section, or nothing in it.

    Example:
        >>> notes("## [0.2.0] - 2026-01-02\n\n- Words are\n  [drawn](docs/web.md).\n", "0.2.0")
        '- Words are [drawn](https://github.com/snn-synth/snn_synth/blob/v0.2.0/docs/web.md).'
    """
    found = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## \[|\Z)", changelog, re.M | re.S)
    if found is None or not (text := found[1].strip()):
        raise ValueError(f"Expected a section [{version}] with a text in CHANGELOG.md, got none")
    text = re.sub(r"(?<=\S)\n *(?=[^\s#*|-])", " ", text)
    text = re.sub(r"\]\((?=#)", f"]({FILES}/v{version}/CHANGELOG.md", text)
    return re.sub(r"\]\((?![a-z]+:)", f"]({FILES}/v{version}/", text)


if __name__ == "__main__":
    try:
        print(notes(CHANGELOG.read_text(), sys.argv[1]))
    except ValueError as error:
        sys.exit(str(error))

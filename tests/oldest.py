"""The oldest versions that pyproject.toml admits, as constraints for pip: `python tests/oldest.py > oldest.txt`."""

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?\s*(?:>=([\w.]+))?")


def lower_bounds() -> dict[str, str | None]:
    """The lower bound of each dependency and extra, None where there is none.

    Example:
        >>> lower_bounds()["snntorch"]
        '1.0'
    """
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    lines = sum(project["optional-dependencies"].values(), project["dependencies"])
    return dict(REQUIREMENT.match(line).groups() for line in lines)


if __name__ == "__main__":
    print(*(f"{name}=={bound}" for name, bound in lower_bounds().items() if bound), sep="\n")

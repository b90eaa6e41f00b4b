"""The paper as a PDF, by pandoc and Typst: `make paper`. The journal makes its own."""

from pathlib import Path

import pypandoc
import typst

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write build/paper.pdf."""
    typed, printed = ROOT / "build" / "paper.typ", ROOT / "build" / "paper.pdf"
    typed.parent.mkdir(exist_ok=True)
    pypandoc.convert_file(
        ROOT / "paper" / "paper.md",
        "typst",
        outputfile=typed,
        extra_args=["--citeproc", "--standalone", "--fail-if-warnings"],
        cworkdir=ROOT / "paper",
    )
    typst.compile(typed, output=printed, root=ROOT)
    print(printed)


if __name__ == "__main__":
    main()

"""Take the ways of a newcomer in a fresh clone with a fresh environment; print seconds and exit codes.

`make journey` calls this file; it needs Python and git alone. A walk runs the code blocks of a page, or of one section,
that are fenced as bash, sh or python: in order, each from the top of the clone. Every other block (text, yaml, ...) is
there to be read. The first walk makes the environment, and its time is part of that walk's. The clone holds what is
committed: other changes are not seen.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n`]*\n(?P<code>.*?)^(?P=indent)```\s*$", re.M | re.S)
HEADING = re.compile(r"^## (.+)$", re.M)
SHELL = ("bash", "sh")
TAIL = 30  # lines shown of a block that failed


class Block(NamedTuple):
    """A fenced block of a page: its language, its code, the line its fence stands on, and the section's heading."""

    language: str
    code: str
    line: int
    section: str = ""


class Walk(NamedTuple):
    """A way through one page: all of it, or the named sections, and the files that must be there at the end."""

    name: str
    page: str
    leaves: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def blocks(self, text: str) -> list[Block]:
        """Its blocks of the page's text, in order."""
        return [
            block
            for block in blocks(text)
            if block.section not in self.without and (not self.sections or block.section in self.sections)
        ]


WAV, SWEEP = "Images from recordings", "Searching for settings"
OWN = "A surrogate of your own"  # needs a file; tests/cli/test_own_surrogate.py takes this way
WALKS = (
    Walk("README", "README.md", ("runs/demo/report.html", "pictures", "digits.png")),
    Walk("own WAV to image", "docs/training.md", ("my_word.wav", "runs/mine/heard.json"), (WAV,)),
    Walk(
        "own images, own words, trained",
        "docs/own-data.md",
        ("runs/ae_folder/metrics.json", "redrawn.png", "runs/a2i_folder/metrics.json"),
    ),
    Walk("sweep with its picture", "docs/training.md", ("runs/sweeps/ae_mnist/sweep.png",), (SWEEP,)),
    Walk(
        "the rest of docs/training.md", "docs/training.md", ("runs/ae_mnist/metrics.json",), without=(WAV, SWEEP, OWN)
    ),
)


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a Markdown page that can be run, in order.

    Example:
        >>> blocks("Try:\\n```bash\\nmake demo\\n```\\nIt prints:\\n```text\\ndone\\n```\\n")
        [Block(language='bash', code='make demo\\n', line=2, section='')]
    """
    headings = [(m.start(), m[1]) for m in HEADING.finditer(page)]
    found = [
        Block(
            m["language"],
            textwrap.dedent(m["code"]),
            page.count("\n", 0, m.start()) + 1,
            next((title for start, title in reversed(headings) if start < m.start()), ""),
        )
        for m in FENCE.finditer(page)
    ]
    return [block for block in found if block.language in (*SHELL, "python")]


def fresh_environment(clone: Path, cache: Path) -> dict[str, str]:
    """The caller's environment without its Python, make and caches, and with the clone's `.venv` first."""
    dropped = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_", "MAKE", "MFLAGS", "WANDB_", "SNN_SYNTH_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    left = os.environ.get("VIRTUAL_ENV")
    path = [folder for folder in env.get("PATH", os.defpath).split(os.pathsep) if not left or folder != f"{left}/bin"]
    env["PATH"] = os.pathsep.join([str(clone / ".venv" / "bin"), *path])
    env["SNN_SYNTH_CACHE"] = str(cache)
    if "SNN_SYNTH_DATA" in os.environ:
        env["SNN_SYNTH_DATA"] = str(Path(os.environ["SNN_SYNTH_DATA"]).resolve())
    return env


def run(block: Block, clone: Path, env: dict[str, str], log: Path) -> int:
    """The exit code of a block; what it prints goes to `log`."""
    if block.language in SHELL:
        command = ["bash", "-euo", "pipefail", "-c", block.code]
    else:
        command = [str(clone / ".venv" / "bin" / "python"), "-c", block.code]
    with log.open("w") as out:
        try:
            return subprocess.run(
                command, cwd=clone, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            ).returncode
        except FileNotFoundError as error:  # a Python block before any block has made `.venv`
            out.write(f"{error}\n")
            return 127


def take(walk: Walk, clone: Path, env: dict[str, str], logs: Path) -> tuple[int, int]:
    """Run a walk's blocks: how many there are, and the exit code of the first that failed (1: a file is missing)."""
    page = clone / walk.page
    todo = walk.blocks(page.read_text()) if page.exists() else []
    first_failure = 0
    for number, block in enumerate(todo, start=1):
        first, log = block.code.strip().splitlines()[:1], logs / f"{walk.name.replace(os.sep, '-')} {number}.log"
        print(f"[{number}/{len(todo)}] {walk.page}:{block.line} {block.language}: {' '.join(first)}", flush=True)
        begin = time.monotonic()
        code = run(block, clone, env, log)
        print(f"      {time.monotonic() - begin:7.1f} s, exit code {code}", flush=True)
        if code:
            first_failure = first_failure or code
            tail = log.read_text(errors="replace").splitlines()[-TAIL:]
            print(textwrap.indent("\n".join(tail), "      | ", lambda line: True))
    missing = [name for name in walk.leaves if not (clone / name).exists()]
    if missing:
        print(f"      not there: {', '.join(missing)}")
    return len(todo), first_failure or int(bool(missing or not todo))


def main(repository: Path, walks: Sequence[Walk] = WALKS) -> int:
    """Take the walks in a clone of a repository; 0 if every one had blocks, and all of them ended well."""
    uncommitted = subprocess.run(
        ["git", "status", "--porcelain"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    folder = Path(tempfile.mkdtemp(prefix="journey-"))
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(repository), str(clone)], check=True)
    print(f"A fresh clone of what is committed; {len(uncommitted)} uncommitted change(s) are not in it.", flush=True)
    env = fresh_environment(clone, folder / "cache")

    rows = []
    for walk in walks:
        print(f"\n{walk.name}", flush=True)
        begin = time.monotonic()
        count, code = take(walk, clone, env, folder)
        rows.append((walk.name, count, time.monotonic() - begin, code))

    width = max(len(walk.name) for walk in walks)
    print(f"\n{'walk':{width}}  blocks  seconds  exit code")
    for name, count, seconds, code in rows:
        print(f"{name:{width}}  {count:6}  {seconds:7.0f}  {code:9}")
    if any(code for *_, code in rows):
        print(f"The clone and the logs stay in {folder}.")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1]))

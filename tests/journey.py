"""Run every code block of the README and of two pages as a newcomer would: in a fresh clone and environment.

`make journey` calls this file; it needs Python and git alone. Blocks fenced as bash, sh or python run in order, page
by page, each from the top of the clone; every other block (text, yaml, ...) is there to be read. The clone holds what
is committed: other changes are not seen.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n`]*\n(?P<code>.*?)^(?P=indent)```\s*$", re.M | re.S)
PAGES = ("README.md", "docs/own-data.md", "docs/training.md")
SHELL = ("bash", "sh")
TAIL = 30  # lines shown of a block that failed


class Block(NamedTuple):
    """A fenced block of a page: its language, its code, and the line its fence stands on."""

    language: str
    code: str
    line: int


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a Markdown page that can be run, in order.

    Example:
        >>> blocks("Try:\\n```bash\\nmake demo\\n```\\nIt prints:\\n```text\\ndone\\n```\\n")
        [Block(language='bash', code='make demo\\n', line=2)]
    """
    found = [
        Block(m["language"], textwrap.dedent(m["code"]), page.count("\n", 0, m.start()) + 1)
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


def main(repository: Path) -> int:
    """Walk the pages of a repository; 0 if every block ran and ended well."""
    uncommitted = subprocess.run(
        ["git", "status", "--porcelain"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    folder = Path(tempfile.mkdtemp(prefix="journey-"))
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(repository), str(clone)], check=True)
    print(
        f"A fresh clone of what is committed; {len(uncommitted)} uncommitted change(s) are not in it.",
        flush=True,
    )
    there = [page for page in PAGES if (clone / page).exists()]
    todo = [(page, block) for page in there for block in blocks((clone / page).read_text())]
    env = fresh_environment(clone, folder / "cache")

    failed, started = 0, time.monotonic()
    for number, (page, block) in enumerate(todo, start=1):
        first, log = block.code.strip().splitlines()[:1], folder / f"{number}.log"
        print(f"[{number}/{len(todo)}] {page}:{block.line} {block.language}: {' '.join(first)}", flush=True)
        begin = time.monotonic()
        code = run(block, clone, env, log)
        print(f"      {time.monotonic() - begin:7.1f} s, exit code {code}", flush=True)
        if code:
            failed += 1
            tail = log.read_text(errors="replace").splitlines()[-TAIL:]
            print(textwrap.indent("\n".join(tail), "      | ", lambda line: True))

    print(f"{len(todo) - failed} of {len(todo)} blocks passed in {time.monotonic() - started:.0f} s.")
    if failed or not todo:
        print(f"The clone and the logs stay in {folder}." if todo else "The pages have no block to run.")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1]))

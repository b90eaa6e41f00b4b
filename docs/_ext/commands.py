"""The pages that ``snn-synth --help`` prints, made from the parsers themselves while the site is built."""

import contextlib
import io
import os
import re

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from snn_synth import training
from snn_synth.cli import main
from snn_synth.cli.parsers import PARSERS, overview

COLUMNS = "96"


def section(name: str, text: str) -> nodes.section:
    """A heading, and a text as it is printed."""
    found = nodes.section(ids=[nodes.make_id(name)], names=[name])
    block = nodes.literal_block(text, text, language="text")
    found += [nodes.title(text=name), block]
    return found


class Commands(Directive):
    """The page of each command."""

    def run(self) -> list[nodes.Node]:
        """Make the sections."""
        pages = {f"snn-synth {name}": make().format_help() for name, make in PARSERS.items()}
        return [section(name, page) for name, page in {"snn-synth": overview(), **pages}.items()]


class Settings(Directive):
    """All settings of a run: of the trainer, of each model and of each data module."""

    def run(self) -> list[nodes.Node]:
        """Ask LightningCLI."""
        pages = {"trainer": printed("--help_all")}
        for name in training.__all__:
            part = "model" if name.startswith("Lit") else "data" if name.endswith("Data") else None
            if part is not None:
                pages[name] = printed(f"--{part}.help", name)
        return [section(name, page) for name, page in pages.items()]


def printed(*argv: str) -> str:
    """What ``snn-synth fit`` prints, without the line that says how it is used, and without what LightningCLI adds."""
    os.environ["COLUMNS"] = COLUMNS
    with contextlib.redirect_stdout(io.StringIO()) as page, contextlib.suppress(SystemExit):
        main(["fit", *argv])
    start = re.search(r"^\S.*:$(?=\n +-)", page.getvalue(), re.M)
    if start is None:
        raise RuntimeError(f"Expected a page of options from {argv}, got {page.getvalue()[:200]!r}")
    plain = re.sub(r":\w+:`~?(?:snn_synth\.)?([\w.]+)`|``([^`]*)``", r"\1\2", page.getvalue()[start.start() :])
    return plain.strip()


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("commands", Commands)
    app.add_directive("settings", Settings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""A link of a page to a file that is no page (a source file, a config) leads to the file in the repository."""

import os
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

LINK = re.compile(r"(?<!!)(\[[^\]]*\])\(([^)\s:#]+)(#[^)\s]*)?\)")  # neither a picture nor an address
CODE = re.compile(r"^ *(```|~~~).*?^ *\1|`[^`\n]+`", re.M | re.S)
PAGES = {".md", ".ipynb", ".rst"}
SHOWN = {".png", ".gif", ".svg"}


def outside(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn such links of a page, just read, into addresses; warn of those that lead nowhere."""
    here = Path(app.env.doc2path(page)).parent
    docs = Path(app.srcdir)
    repository = app.config.html_theme_options["source_repository"]

    def turned(link: re.Match[str]) -> str:
        text, target, anchor = link.groups()
        path = Path(os.path.normpath(here / target))
        inside = path.is_relative_to(docs)
        if inside and path.suffix in PAGES | SHOWN:
            return link[0]  # Sphinx finds it, or says that it does not
        if not path.exists():
            logging.getLogger(__name__).warning("no file %s", target, location=page)
            return link[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"{text}({repository}/{kind}/main/{path.relative_to(docs.parent).as_posix()}{anchor or ''})"

    if page.startswith("reference/generated"):
        return
    parts, last = [], 0
    for code in CODE.finditer(source[0]):
        parts += [LINK.sub(turned, source[0][last : code.start()]), code[0]]
        last = code.end()
    source[0] = "".join([*parts, LINK.sub(turned, source[0][last:])])


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at each page when it is read."""
    app.connect("source-read", outside)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

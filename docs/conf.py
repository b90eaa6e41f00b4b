"""How Sphinx builds the site: `make docs` runs it, and Read the Docs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import snn_synth

project = "snn_synth"
author = "snn_synth contributors"
version = release = snn_synth.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "mathml",
    "repository_links",
]
nitpicky = True
# Names of other packages are not looked up: the site builds without a network.
nitpick_ignore_regex = [("py:.*", r"(?!snn_synth\b).*")]

myst_enable_extensions = ["colon_fence", "dollarmath", "deflist", "fieldlist"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_in_temp = True
nb_merge_streams = True

autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Shape", "Source"]
python_maximum_signature_line_length = 88

html_theme = "furo"
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

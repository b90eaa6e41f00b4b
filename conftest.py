"""Doctests are looked for in every module, and those of the Triton kernels need Triton."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("triton") else ["snn_synth/kernels/cuda/*"]

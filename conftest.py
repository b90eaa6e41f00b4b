"""Doctests are looked for in every module, and those of the Triton kernels and of ONNX need packages of extras."""

import importlib.util

NEEDED = {"snn_synth/kernels/cuda/*": ["triton"], "snn_synth/interop/onnx*": ["onnx", "onnxruntime"]}

collect_ignore_glob = [
    modules for modules, packages in NEEDED.items() if not all(map(importlib.util.find_spec, packages))
]

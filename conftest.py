"""Doctests are looked for in every module; those of Triton, ONNX, NeuroBench and the web page need extras."""

import importlib.util

NEEDED = {
    "snn_synth/kernels/cuda/*": ["triton"],
    "snn_synth/interop/onnx*": ["onnx", "onnxruntime"],
    "snn_synth/interop/neurobench.py": ["neurobench"],
    "snn_synth/web/app.py": ["gradio"],
    "snn_synth/web/run.py": ["gradio"],
}

collect_ignore_glob = [
    modules for modules, packages in NEEDED.items() if not all(map(importlib.util.find_spec, packages))
]

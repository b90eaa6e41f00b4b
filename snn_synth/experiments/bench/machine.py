"""Where and with what it was measured."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from snn_synth.experiments import record

FLAGS = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16")
PACKAGES = ("snn_synth", "torch", "numba", "triton", "numpy", "snntorch", "spikingjelly", "norse", "sinabs")


def machine(device: str = "cpu") -> dict[str, Any]:
    """Processor, what it can do, threads, memory, load."""
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # PyTorch has told it for a short time only
    facts = {
        "cpu": able.get("cpu_name", platform.processor()),
        "flags": {flag: bool(able.get(flag, False)) for flag in FLAGS},
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": _memory_gb(),
        "load_average": load(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device.startswith("cuda"):
        facts["accelerator"] = torch.cuda.get_device_name()
    return facts


def load() -> float | None:
    """Mean number of running processes over the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of what is installed, and how torch was built."""
    found = record.versions(packages)
    build = torch.__config__.show()
    found["torch_cpu_capability"] = torch.backends.cpu.get_cpu_capability()
    found["torch_blas"] = "MKL" if "BLAS_INFO=mkl" in build else "other"
    return found


def _memory_gb() -> float | None:
    facts = Path("/proc/meminfo")
    if not facts.exists():
        return None
    return round(int(facts.read_text().split("MemTotal:")[1].split()[0]) / 2**20, 1)

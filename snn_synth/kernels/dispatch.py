"""Which backend runs: the reference in ``functional/``, numba on the CPU, Triton on CUDA."""

import contextlib
import functools
import importlib
import importlib.util
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from snn_synth.collection import no_collection
from snn_synth.errors import InputError

Backend = Literal["reference", "numba", "triton"]
Product = Literal["float32", "listed", "tiles"]

_FOLDERS = {"numba": "cpu", "triton": "cuda"}
_FAST: dict[str, Backend] = {"cpu": "numba", "cuda": "triton"}  # by the device
_forced: ContextVar[Backend | None] = ContextVar("backend", default=None)
_product: ContextVar[Product | None] = ContextVar("product", default=None)


@contextlib.contextmanager
def use(backend: Backend, product: Product | None = None) -> Iterator[None]:
    """Force one backend inside a ``with`` block, for a comparison or to differentiate twice (which kernels do not do).

    Args:
        backend: ``reference``, ``numba`` (float32 on the CPU) or ``triton`` (float32 on CUDA). Tensors that a kernel
            does not take still go to the reference.
        product: with ``numba``, how products with spikes are computed: in ``float32`` as any, of ``listed`` spikes, or
            on ``tiles`` of a processor with AMX. If not given, or if this machine or product has no such way, what
            was measured to be the fastest here. The online rule's gradient of a layer of at most four million weights,
            of which less than half of the neurons have fired, is a product too with ``float32``, and a sum of traces
            with the others.

    Raises:
        InputError: for another name.

    Example:
        >>> with use("reference"):
        ...     backend(torch.zeros(3))
        'reference'
    """
    if backend not in ("reference", *_FOLDERS):
        raise InputError(f"Expected a backend of {['reference', *_FOLDERS]}, got {backend!r}")
    if product is not None and (backend != "numba" or product not in get_args(Product)):
        raise InputError(f"Expected a product of {list(get_args(Product))} with the backend 'numba', got {product!r}")
    tokens = _forced.set(backend), _product.set(product)
    try:
        yield
    finally:
        _forced.reset(tokens[0])
        _product.reset(tokens[1])


def forced_product() -> Product | None:
    """What :func:`use` was given."""
    return _product.get()


def backend(*tensors: Tensor | None) -> Backend:
    """The backend for these tensors: a kernel takes plain float32 tensors on one CPU or CUDA device.

    Example:
        >>> backend(torch.zeros(3)), backend(torch.zeros(3, dtype=torch.float64))
        ('numba', 'reference')
    """
    # First, because the compiler cannot read a ContextVar.
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return "reference"
    given = [x for x in tensors if x is not None]
    device = given[0].device
    fast = _FAST.get(device.type, "reference")
    if (
        _forced.get() not in (None, fast)
        or (fast == "triton" and not _triton_installed())
        or (fast == "numba" and not _numba_compiles())
        or not all(_plain(x, device) for x in given)
    ):
        return "reference"
    return fast


@functools.cache
def _triton_installed() -> bool:
    return importlib.util.find_spec("triton") is not None


@functools.cache
def _numba_compiles() -> bool:
    """False where NUMBA_DISABLE_JIT is set for debugging: a kernel is no Python function."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


def _plain(x: Tensor, device: torch.device) -> bool:
    """Neither a subclass (a fake tensor, say) nor wrapped by ``torch.func``."""
    return (
        x.dtype == torch.float32
        and x.device == device
        and type(x) in (Tensor, torch.nn.Parameter, torch.nn.Buffer)
        and not torch._C._functorch.is_functorch_wrapped_tensor(x)
    )


@functools.cache
def kernel(backend: Backend, module: str) -> Any:
    """The module of that name for the backend; numba and Triton are imported when first needed.

    Example:
        >>> kernel("numba", "lif").__name__
        'snn_synth.kernels.cpu.lif'
    """
    with no_collection():
        return importlib.import_module(f"snn_synth.kernels.{_FOLDERS[backend]}.{module}")


def constant(x: float | Tensor) -> bool:
    """Whether a leak or threshold is one fixed number, which is what kernels take.

    Example:
        >>> constant(0.9), constant(torch.tensor(0.9)), constant(torch.tensor([0.9, 0.8]))
        (True, True, False)
    """
    return not isinstance(x, Tensor) or (
        x.numel() == 1 and not x.requires_grad and not torch._C._functorch.is_functorch_wrapped_tensor(x)
    )


def has_hooks(module: torch.nn.Module) -> bool:
    """Whether something waits for each call of this module, or of any: a kernel that takes its place would be silent.

    So it would where another function has been put in the place of ``forward``, or the module was compiled in place.

    Example:
        >>> module = torch.nn.Identity()
        >>> handle = module.register_forward_hook(print)
        >>> has_hooks(module), has_hooks(torch.nn.Identity())
        (True, False)
    """
    of_all = torch.nn.modules.module
    return bool(
        module._forward_pre_hooks
        or module._forward_hooks
        or module._backward_pre_hooks
        or module._backward_hooks
        or "forward" in module.__dict__  # a function put in the place of the class's, as offloading does
        or module._compiled_call_impl is not None
        or of_all._global_forward_pre_hooks
        or of_all._global_forward_hooks
        or of_all._global_backward_pre_hooks
        or of_all._global_backward_hooks
    )


def check_once() -> None:
    """Called in a backward pass: kernels have no second derivative, which would silently count as zero.

    Raises:
        InputError: inside ``backward(create_graph=True)``.
    """
    if torch.is_grad_enabled():
        raise InputError(
            "Expected a backward pass without create_graph=True: kernels differentiate once; run the forward pass "
            "under `with snn_synth.kernels.use('reference'):` to differentiate twice"
        )

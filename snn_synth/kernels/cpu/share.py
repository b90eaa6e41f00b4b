"""Work of a kernel shared out among threads: what ``numba.prange`` does, in half the time to compile it."""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, compiler, types
from numba.core.codegen import JITCodeLibrary
from numba.extending import intrinsic

# error_model: a division that would raise for 0, as Python's does, keeps a loop from becoming vector instructions.
# _nrt: kernels allocate nothing, so no references are counted. Wrappers are for calls from Python and C.
_OPTIONS: Any = {"error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class _Library(JITCodeLibrary):
    """Code that becomes machine code only in the kernels that it is linked to, which are optimized as a whole."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _Compiler(compiler.Compiler):
    def compile_extra(self, func: Callable[..., Any]) -> Any:
        state = self.state
        state.flags.no_compile = True
        state.library = _Library(state.targetctx.codegen(), func.__qualname__)  # type: ignore[no-untyped-call]
        found = super().compile_extra(func)  # type: ignore[no-untyped-call]
        # Inlined into loops over time, loops along rows took up to six times as long.
        state.library._final_module.get_function(found.fndesc.llvm_func_name).add_function_attribute("noinline")
        key = object().__dir__  # numba looks code up by a built-in function: here by one that equals no other
        state.targetctx.insert_user_function(key, found.fndesc, [state.library])
        return found._replace(entry_point=key)


def subroutine(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call, when the first of them does.

    Each kernel has a copy. ``numba.njit`` alone would optimize and compile the function by itself as well, which nobody
    calls, and once more wherever it is inlined. It cannot print, as it has no environment of numba's.
    """
    return numba.njit(function, pipeline_class=_Compiler, **_OPTIONS)


_byte, _word, _int = ir.IntType(8), ir.IntType(types.intp.bitwidth), ir.IntType(32)  # type: ignore[attr-defined]
_address = _byte.as_pointer()
# numba's functions in C: a task gets the addresses of arguments, the number of tasks, steps, and what is shared;
# the runner gets the task, base addresses, the number of tasks, steps, what is shared, two numbers of axes, and threads
_task = ir.FunctionType(ir.VoidType(), [_address.as_pointer(), _word.as_pointer(), _word.as_pointer(), _address])
_runner = ir.FunctionType(ir.VoidType(), [_address, *_task.args, _word, _word, _int])


@intrinsic
def share_out(typing: Any, part: Any, team: Any, count: Any, arguments: Any) -> Any:  # numba passes the typing context
    """``part(share, start, stop, *arguments)`` for shares of ``range(count)``, one for each thread of the ``team``.

    Args:
        typing: numba's context.
        part: a :func:`subroutine` that returns nothing. Shares are numbered, so that each can have memory of its own.
        team: the address of numba's runner, and the number of threads; with one, the address is not used.
        count: as said.
        arguments: a tuple.
    """
    given = (types.intp, types.intp, types.intp, *map(types.unliteral, arguments))

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address, threads = cgutils.unpack_tuple(builder, values[1])  # type: ignore[no-untyped-call]
        packer = context.get_arg_packer(given[3:])
        flat = packer.as_arguments(builder, cgutils.unpack_tuple(builder, values[3]))  # type: ignore[no-untyped-call]
        contents = [values[2], threads, *flat]
        shared = cgutils.alloca_once(builder, ir.LiteralStructType([x.type for x in contents]))  # type: ignore[no-untyped-call]
        for i, value in enumerate(contents):
            builder.store(value, _field(builder, shared, i))
        function = _compile_here(context, signature.args[0].dispatcher.py_func, given)
        task = _write_task(context, builder.module, shared.type, packer, function)
        zero, one = ir.Constant(_word, 0), ir.Constant(_word, 1)
        base, number, step = (
            cgutils.alloca_once_value(builder, x)  # type: ignore[no-untyped-call]
            for x in (ir.Constant(_address, None), threads, one)
        )
        to_task = base, number, step, builder.bitcast(shared, _address)
        with builder.if_else(builder.icmp_signed(">", threads, one)) as (several, single):
            with several:
                runner = builder.inttoptr(address, _runner.as_pointer())
                builder.call(
                    runner, [builder.bitcast(task, _address), *to_task, zero, one, builder.trunc(threads, _int)]
                )
            with single:
                builder.call(task, to_task)
        return context.get_dummy_value()

    return types.void(part, team, types.intp, arguments), code


def _compile_here(context: Any, function: Any, arguments: Any) -> Any:
    """Compile a function that returns nothing into the library that is being compiled."""
    flags: Any = compiler.Flags()  # type: ignore[no-untyped-call]
    flags.error_model, flags.nrt = "numpy", False
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    library = context.active_code_library
    found: Any = compiler.compile_internal(  # type: ignore[no-untyped-call]
        context.typing_context, context, library, function, arguments, types.none, flags, {}
    )
    return found.fndesc


def _field(builder: Any, shared: Any, i: int) -> Any:
    return builder.gep(shared, [ir.Constant(_int, 0), ir.Constant(_int, i)], inbounds=True)


def _write_task(context: Any, module: Any, shared: Any, packer: Any, part: Any) -> Any:
    """Write the function that calls the part with the share of a thread."""
    task = ir.Function(module, _task, module.get_unique_name(f"{part.mangled_name}.task"))
    task.linkage = "internal"
    builder = ir.IRBuilder(task.append_basic_block())
    place = builder.bitcast(task.args[3], shared)
    count, threads, *flat = (builder.load(_field(builder, place, i)) for i in range(len(shared.pointee.elements)))
    first = builder.ptrtoint(builder.load(task.args[0]), _word)  # from base 0 in steps of 1: the number of the task
    ends = first, builder.add(first, builder.load(task.args[1]))
    start, stop = (builder.sdiv(builder.mul(count, i), threads) for i in ends)
    function = context.declare_function(module, part)
    arguments = [first, start, stop, *packer.from_arguments(builder, tuple(flat))]
    context.call_conv.call_function(builder, function, part.restype, part.argtypes, arguments)
    builder.ret_void()
    return task

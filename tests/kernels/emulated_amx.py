"""The products on AMX tiles, for tests on any machine: without AMX its instructions are emulated.

Each is a function in C of one thread's registers, as Intel's manual describes it. The kernels that call them are those
of copies of the modules, compiled in memory alone: none gets among those on disk, and no other test sees one.
"""

import functools
import importlib.util
from types import ModuleType
from typing import NamedTuple

import numba
import numpy as np
import pytest
from llvmlite import ir
from numba import carray, types
from numba.core import cgutils

from snn_synth.kernels.cpu import amx, layer, products, threads, tile_scans, tiles

# Of a thread: the setting, eight tiles of at most 16 rows of 64 bytes, and space for 32 sums and a tile as float32.
_SETTING, _TILE, _ROW = 64, 1024, 64
_SPARE = _SETTING + 8 * _TILE
_REGISTERS = _SPARE + 128 + 2 * _TILE
_SMALLEST = np.float32(2**-126)  # less counts as 0, whether it is a term or a sum
_INSTRUCTIONS = {}
_bytes, _number, _stride = types.CPointer(types.uint8), types.int8, types.int64


class Modules(NamedTuple):
    """Those whose kernels have products on tiles."""

    tiles: ModuleType
    tile_scans: ModuleType


REAL = Modules(tiles, tile_scans)


def modules():
    """The real ones where there is AMX, else the emulated ones."""
    return REAL if amx.has_amx() else emulated()


@functools.cache
def emulated():
    """Copies of them on emulated instructions."""
    return load()


def load():
    """Make such copies."""
    for name in _INSTRUCTIONS:  # now: what is compiled while a kernel is takes over the kernel's options
        _compiled(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "compiled", numba.njit)  # which keeps nothing on disk
        instructions, *copies = map(_copy, (amx, *REAL))
    instructions._call = _call
    for i, copy in enumerate(copies):  # before anything is compiled, which looks names up
        for module, other in ((amx, instructions), *zip(REAL[:i], copies, strict=False)):
            for name, value in vars(module).items():
                if not name.startswith("_") and vars(copy).get(name) is value:
                    setattr(copy, name, getattr(other, name))
    return Modules(*copies)


def give_amx(monkeypatch):
    """Products of spikes may be on tiles, whatever the machine; whoever then asks for them gets them."""
    if not amx.has_amx():
        monkeypatch.setattr(products, "has_amx", lambda: True)
        monkeypatch.setattr(products, "tiles", emulated().tiles)
        monkeypatch.setattr(layer, "tile_scans", emulated().tile_scans)


def _copy(module):
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_emulated", module.__file__)
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


def _call(builder, name, *arguments):
    """In the place of an instruction, call its function."""
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), *(argument.type for argument in arguments)])
    function = builder.inttoptr(ir.Constant(ir.IntType(64), _compiled(name).address), kind.as_pointer())
    builder.call(function, [_registers(builder), *arguments])


def _registers(builder):
    """They are in the frame of the function that a thread runs: all its instructions on tiles are in one."""
    entry = builder.function.entry_basic_block.instructions
    words = next((one for one in entry if one.name == "amx.registers"), None)
    if words is None:  # numba clears the first word, which says whether anything is set
        words = cgutils.alloca_once(builder, ir.IntType(64), _REGISTERS // 8, name="amx.registers")
    return builder.bitcast(words, ir.IntType(8).as_pointer())


def _instruction(name, *arguments):
    def note(function):
        _INSTRUCTIONS[name] = types.void(_bytes, *arguments), function
        return function

    return note


@functools.cache
def _compiled(name):
    signature, function = _INSTRUCTIONS[name]
    return numba.cfunc(signature)(function)


# --- the instructions ---


@numba.njit
def _size(registers, tile):
    """Rows, and bytes of a row; none where nothing is set: the processor would end the process."""
    if registers[0] != 1:
        return 0, 0
    return registers[48 + tile], registers[16 + 2 * tile]


@numba.njit
def _clear(registers, start, count):
    for i in range(start, start + count):
        registers[i] = 0


@_instruction("ldtilecfg", _bytes)
def _set(registers, setting):
    _clear(registers, 0, _REGISTERS)
    for tile in range(8):
        if setting[48 + tile] > 16 or setting[16 + 2 * tile] > 64 or setting[17 + 2 * tile] > 0:
            return  # so it would here
    for i in range(_SETTING):
        registers[i] = setting[i]


@_instruction("tilerelease")
def _release(registers):
    _clear(registers, 0, _REGISTERS)


@_instruction("tilezero", _number)
def _zero(registers, tile):
    _clear(registers, _SETTING + tile * _TILE, _TILE)


@_instruction("tileloadd64", _number, _bytes, _stride)
def _load(registers, tile, source, stride):
    at, (rows, width) = _SETTING + tile * _TILE, _size(registers, tile)
    _clear(registers, at, _TILE)
    for row in range(rows):
        for i in range(width):
            registers[at + row * _ROW + i] = source[row * stride + i]


@_instruction("tilestored64", _number, _bytes, _stride)
def _store(registers, tile, target, stride):
    at, (rows, width) = _SETTING + tile * _TILE, _size(registers, tile)
    for row in range(rows):
        for i in range(width):
            target[row * stride + i] = registers[at + row * _ROW + i]


@numba.njit
def _flushed(x):
    return np.float32(0) if abs(x) < _SMALLEST else x


@numba.njit
def _wide(half):
    """A bfloat16 is the upper half of a float32."""
    return _flushed(np.uint32(half << 16).view(np.float32))


@_instruction("tdpbf16ps", _number, _number, _number)
def _multiply(registers, out, left, right):
    """Of a row and a column the products of the pairs: the first ones are summed by themselves, so are the second ones.

    Both sums are then added to what is there. A product of two bfloat16 numbers is exact in float32.
    """
    memory, (rows, width), (_, depth) = carray(registers, _REGISTERS), _size(registers, out), _size(registers, left)
    halves, floats = memory.view(np.uint16), memory.view(np.float32)
    totals, a, b = (_SETTING + out * _TILE) // 4, (_SETTING + left * _TILE) // 2, (_SETTING + right * _TILE) // 2
    firsts, numbers = _SPARE // 4, _SPARE // 4 + 32
    seconds, columns = firsts + 16, width // 4
    for k in range(depth // 4):
        for n in range(columns):
            for i in range(2):
                floats[numbers + 32 * k + 16 * i + n] = _wide(halves[b + 32 * k + 2 * n + i])
    for m in range(rows):
        _clear(registers, _SPARE, 128)
        for k in range(depth // 4):
            one, other = _wide(halves[a + 32 * m + 2 * k]), _wide(halves[a + 32 * m + 2 * k + 1])
            for n in range(columns):
                floats[firsts + n] = _flushed(floats[firsts + n] + one * floats[numbers + 32 * k + n])
                floats[seconds + n] = _flushed(floats[seconds + n] + other * floats[numbers + 32 * k + 16 + n])
        for n in range(columns):
            both = _flushed(floats[firsts + n] + floats[seconds + n])
            floats[totals + 16 * m + n] = _flushed(floats[totals + 16 * m + n] + both)

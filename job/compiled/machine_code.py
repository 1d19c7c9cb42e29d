"""Compiled kernels: Numba makes the machine code, files keep it, runs load it without importing Numba.

Importing Numba and loading from its own cache took half a second of every run; a kept object file takes llvmlite's
import and a few milliseconds. A kernel is a module that defines `SIGNATURE`, the types of its arguments, and a function
compiled by Numba that takes addresses and integers alone, raises nothing and returns nothing. It is kept by a name that
says for which processors it is and what it was made from.
"""

import ctypes
import functools
import hashlib
import importlib
import importlib.metadata
import logging
import platform
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from job.compiled import cache
from job.errors import InternalError

_log = logging.getLogger(__name__)

# x86-64-v4 with instructions that pack bytes: Intel's server processors since 2019, AMD's since 2022.
PACKING: Final = "x86-64-v4-vbmi2"

# All there are, for an install to compile ahead.
KERNELS: Final = (
    ("job.read.csv.scan_kernel", "scan"),
    ("job.read.csv.count_kernel", "count_lines"),
    ("job.read.parquet.footer_kernel", "chunks"),
    ("job.read.parquet.page_kernel", "decode"),
    ("job.read.parquet.grid_kernel", "transpose"),
    ("job.model.dense_kernel", "run_layers"),
    ("job.report.pixel_kernel", "count_pixels"),
    ("job.train.fit.deform_kernel", "deform"),
)

# What a processor must have for each level of the x86-64 psABI, as LLVM names it, and for one above; the best first.
_LEVELS: Final = {
    PACKING: ("avx512vbmi", "avx512vbmi2"),
    "x86-64-v4": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
    "x86-64-v3": ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"),
    "x86-64-v2": ("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt"),
}

_OLDEST: Final = "x86-64"
_PACKAGE: Final = Path(__file__).parents[1]

_lock = threading.Lock()

_loaded: dict[str, Callable[..., None]] = {}

# Code lives as long as the engine that loaded it.
_engines: list[Any] = []


def kernel(module: str, function: str) -> Callable[..., None]:
    """A compiled function of a module, taking integers; it lets go of Python's lock while it runs.

    Loaded from a file where there is one, and compiled otherwise, once for all runs if a folder for it can be written.
    """
    with _lock:
        name = f"{module}.{function}"
        if name not in _loaded:
            _loaded[name] = _callable(_load(_object_code(module, function, _level()), function))
        return _loaded[name]


def can_pack() -> bool:
    """Whether this processor, and the code made for it, can pack bytes in one instruction."""
    return _level() == PACKING


def compile_ahead(levels: Sequence[str]) -> None:
    """Make and keep the code of all kernels for these levels of processors, so that no run has to."""
    for level in levels:
        for module, function in KERNELS:
            _object_code(module, function, level)


def levels() -> tuple[str, ...]:
    """Every level that a processor of this machine's architecture can have, the best first."""
    return ("generic",) if _level() == "generic" else (*_LEVELS, _OLDEST)


def _object_code(module: str, function: str, level: str) -> bytes:
    name = f"{module}.{function}-{level}-{_origin(module)}.o"
    folders = list(_folders(module))
    for folder in folders:
        code = cache.read(folder / name)
        if code:
            return code
    _log.debug("compiling %s for %s", module, level)
    code = _compiled(module, function, level)
    for folder in folders:
        if cache.write(folder / name, code):
            break
    return code


def _origin(module: str) -> str:
    """What code is made from, in one word: sources in the kernel's folder and the one above, and the compilers."""
    digest = hashlib.sha256()
    folder = _source(module).parent
    origins = {
        *folder.glob("*.py"),
        *folder.parent.glob("*.py"),
        *Path(__file__).parent.glob("*.py"),
        _PACKAGE / "contract.py",
    }
    for path in sorted(origins):
        digest.update(path.read_bytes())
    for package in ("numba", "llvmlite"):
        digest.update(importlib.metadata.version(package).encode())
    return digest.hexdigest()[:16]


def _source(module: str) -> Path:
    return _PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")


def _folders(module: str) -> Iterator[Path]:
    """Where code is looked for, and kept in the first that can be written."""
    return cache.folders(_source(module))


@functools.cache
def _level() -> str:
    """The best set of instructions that this processor has."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return "generic"
    features = _llvm().get_host_cpu_features()
    names = list(_LEVELS)
    for place, level in enumerate(names):
        if all(features.get(feature) for each in names[place:] for feature in _LEVELS[each]):
            return level
    return _OLDEST


def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _machine(llvm: Any, level: str) -> Any:
    # LLVM would keep to 256 bits on processors that once slowed down for more; measured, 512 are faster.
    features = "-prefer-256-bit" if level in {PACKING, "x86-64-v4"} else ""
    if level == PACKING:
        level, features = "x86-64-v4", ",".join([features, *(f"+{feature}" for feature in _LEVELS[PACKING])])
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=level, features=features, opt=3, reloc="pic", codemodel="jitdefault", jit=True
    )


def _compiled(module: str, function: str, level: str) -> bytes:
    """Object code of a kernel for processors of a level."""
    intermediate, wanted = _intermediate_code(module, function)
    llvm = _llvm()
    machine = _machine(llvm, level)
    code = llvm.parse_assembly(intermediate)
    # Numba wraps the function for C and for Python; only the function itself is wanted, under its own name.
    for each in code.functions:
        if each.name == wanted:
            each.name = function
        elif not each.is_declaration:
            each.linkage = "internal"
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(code, passes)
    missing = [each.name for each in code.functions if each.is_declaration and not each.name.startswith("llvm.")]
    if missing:
        raise InternalError(f"{module}: the compiled {function} needs {', '.join(missing)}")
    return bytes(machine.emit_object(code))


@functools.cache
def _intermediate_code(module: str, function: str) -> tuple[str, str]:
    """A kernel as LLVM's language has it, for any processor, and the name that it has in there."""
    import numba

    source = importlib.import_module(module)
    compiled = numba.cfunc(source.SIGNATURE)(getattr(source, function).py_func)
    return compiled.inspect_llvm(), compiled.native_name.removeprefix("cfunc.")


def _load(code: bytes, function: str) -> int:
    """Put object code into memory; the address of its function."""
    llvm = _llvm()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(llvm, _level()))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return int(engine.get_function_address(function))


def _callable(address: int) -> Callable[..., None]:
    """A Python function around Numba's calling convention: places for a result and an error, then the arguments."""
    native = ctypes.CFUNCTYPE(ctypes.c_int32)(address)

    def call(*arguments: int) -> None:
        unused = ctypes.create_string_buffer(16)
        status = native(unused, unused, *map(ctypes.c_int64, arguments))
        if status:
            raise InternalError(f"compiled code ended with status {status}")

    return call


# An install is for this processor; an image may meet any: python -m job.compiled.machine_code [--every-processor]
if __name__ == "__main__":
    compile_ahead(levels() if "--every-processor" in sys.argv[1:] else [_level()])

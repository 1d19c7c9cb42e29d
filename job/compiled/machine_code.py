"""Compiled kernels: Numba generates their machine code, `cache` stores it, and runs load it without importing Numba.

Numba's import and its own cache cost each run half a second; loading a cached object file costs llvmlite's import and a
few milliseconds. A kernel is a module with a `SIGNATURE`, the types of its arguments, and a function compiled by Numba
that takes only addresses and integers, raises nothing and returns nothing. The name of a cached file holds the level of
processors that it is for and a digest of everything that it was made from.
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
from job.errors import InternalError, ResourceExhausted

_log = logging.getLogger(__name__)

# x86-64-v4 and the instructions that pack bytes (VBMI2): Intel's server processors since 2019, AMD's since 2022.
PACKING: Final = "x86-64-v4-vbmi2"

# All kernels, as (module, function), for an install to compile ahead.
KERNELS: Final = (
    ("job.read.csv.scan_kernel", "scan"),
    ("job.read.csv.count_kernel", "count_lines"),
    ("job.read.parquet.footer_kernel", "chunks"),
    ("job.read.parquet.longest_value_kernel", "measure_longest"),
    ("job.read.parquet.page_kernel", "decode"),
    ("job.read.parquet.page_sizes_kernel", "measure"),
    ("job.read.table.grid_kernel", "transpose"),
    ("job.normalize.form_kernel", "bring_to_form"),
    ("job.model.dense_kernel", "run_layers"),
    ("job.report.pixel_kernel", "count_pixels"),
    ("job.train.fit.deform_kernel", "deform"),
    ("job.train.fit.rescan_kernel", "rescan"),
)

# The features, as LLVM names them, that each level of the x86-64 psABI adds to the one below it; best level first.
_LEVELS: Final = {
    PACKING: ("avx512vbmi", "avx512vbmi2"),
    "x86-64-v4": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
    "x86-64-v3": ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"),
    "x86-64-v2": ("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt"),
}

_BASELINE: Final = "x86-64"

# Vector instructions that round or saturate differently, each with the features that bring it.
_VECTORS: Final = {
    "AVX": ("avx",), "AVX2": ("avx2",), "FMA": ("fma",), "AVX-512": ("avx512f",), "VNNI": ("avx512vnni", "avxvnni"),
}  # fmt: skip

_PACKAGE: Final = Path(__file__).parents[1]

_lock = threading.Lock()
_loaded: dict[str, Callable[..., None]] = {}
# Code is unloaded with its engine.
_engines: list[Any] = []


def kernel(module: str, function: str) -> Callable[..., None]:
    """The compiled `function` of `module`, which takes integers and releases the GIL while it runs.

    Loaded from the cache, or compiled and, if a cache folder is writable, cached. Raises InternalError if the compiled
    code needs a symbol from outside. The result raises InternalError if the kernel reports an error.
    """
    with _lock:
        name = f"{module}.{function}"
        if name not in _loaded:
            _loaded[name] = _callable(_load(_object_code(module, function, _level()), function))
        return _loaded[name]


def can_pack() -> bool:
    """Whether this processor packs bytes in one instruction (AVX-512 VBMI2), and its code is compiled for that."""
    return _level() == PACKING


def processor() -> str:
    """What a matrix library selects its code by: the vectors of x86-64, or another architecture's kind of processor."""
    if _level() == "generic":
        return f"{platform.machine()} {_llvm().get_host_cpu_name()}"
    features = _llvm().get_host_cpu_features()
    found = (name for name, alike in _VECTORS.items() if any(features.get(feature) for feature in alike))
    return " ".join(["x86-64", *found])


def compile_ahead(levels: Sequence[str]) -> None:
    """Compile and cache all kernels for these levels, so that no run has to."""
    for level in levels:
        for module, function in KERNELS:
            _object_code(module, function, level)


def levels() -> tuple[str, ...]:
    """The levels of this machine's architecture, best first."""
    return ("generic",) if _level() == "generic" else (*_LEVELS, _BASELINE)


def _object_code(module: str, function: str, level: str) -> bytes:
    """A kernel's object code for a level, from the cache or compiled."""
    name = f"{module}.{function}-{level}-{_origin(module)}.o"
    if code := cache.read(_folders(module), name):
        return code
    _log.debug("compiling %s for %s", module, level)
    code = _compiled(module, function, level)
    cache.write(_folders(module), name, code)
    return code


def _origin(module: str) -> str:
    """A digest of everything that a kernel is compiled from: its sources and the compilers' versions."""
    digest = hashlib.sha256()
    for path in _origins(module):
        digest.update(path.read_bytes())
    for package in ("numba", "llvmlite"):
        digest.update(importlib.metadata.version(package).encode())
    return digest.hexdigest()[:16]


def _origins(module: str) -> list[Path]:
    """The sources of a kernel: this package, `contract`, the kernel's own folder and the one above, sorted."""
    folder = _source(module).parent
    folders = {folder, folder.parent, Path(__file__).parent}
    return sorted({path for each in folders for path in each.glob("*.py")} | {_PACKAGE / "contract.py"})


def _source(module: str) -> Path:
    return _PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")


def _folders(module: str) -> Iterator[Path]:
    return cache.folders(_source(module))


@functools.cache
def _level() -> str:
    """The best level whose features this processor has; `generic` for other architectures than x86-64."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return "generic"
    features = _llvm().get_host_cpu_features()
    names = list(_LEVELS)
    for number, level in enumerate(names):
        if all(features.get(feature) for each in names[number:] for feature in _LEVELS[each]):
            return level
    return _BASELINE


def _levels_with(feature: str) -> list[str]:
    """The levels whose processors all have a feature."""
    names = list(_LEVELS)
    [lowest] = (number for number, name in enumerate(names) if feature in _LEVELS[name])
    return names[: lowest + 1]


def _has_fma(level: str) -> bool:
    """Whether all processors of a level multiply and add in one instruction, as those of other architectures do."""
    return level == "generic" or level in _levels_with("fma")


def _llvm() -> Any:
    try:
        import llvmlite.binding as llvm
    except OSError as error:  # its library needs more memory than there is
        raise ResourceExhausted(f"cannot load LLVM: {error}; allow more memory") from error

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _machine(llvm: Any, level: str) -> Any:
    # By default LLVM uses 256-bit vectors, because old processors clocked down for 512 bits; measured, 512 is faster.
    features = "-prefer-256-bit" if level in {PACKING, "x86-64-v4"} else ""
    if level == PACKING:
        level, features = "x86-64-v4", ",".join([features, *(f"+{feature}" for feature in _LEVELS[PACKING])])
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=level, features=features, opt=3, reloc="pic", codemodel="jitdefault", jit=True
    )


def _compiled(module: str, function: str, level: str) -> bytes:
    """Compile a kernel for a level. Raises InternalError if the code needs a symbol from outside."""
    intermediate, mangled = _intermediate_code(module, function)
    llvm = _llvm()
    machine = _machine(llvm, level)
    if _has_fma(level):
        code = llvm.parse_assembly(intermediate)
    else:
        from job.compiled.fused import without_fma

        code, emulated = map(llvm.parse_assembly, without_fma(intermediate))
        code.link_in(emulated)
    # Numba adds wrappers for C and for Python. Only the function itself is exported, under its plain name.
    for each in code.functions:
        if each.name == mangled:
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
    """A kernel as LLVM assembly for any processor, and the mangled name of its function."""
    import numba

    source = importlib.import_module(module)
    compiled = numba.cfunc(source.SIGNATURE)(getattr(source, function).py_func)
    return compiled.inspect_llvm(), compiled.native_name.removeprefix("cfunc.")


def _load(code: bytes, function: str) -> int:
    """Load object code into memory and return the address of its function."""
    llvm = _llvm()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(llvm, _level()))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return int(engine.get_function_address(function))


def _callable(address: int) -> Callable[..., None]:
    """Wrap Numba's calling convention: pointers for a result and an exception, then the arguments; returns a status."""
    native = ctypes.CFUNCTYPE(ctypes.c_int32)(address)

    def call(*arguments: int) -> None:
        unused = ctypes.create_string_buffer(16)
        status = native(unused, unused, *map(ctypes.c_int64, arguments))
        if status:
            raise InternalError(f"compiled code returned status {status}")

    return call


# Compile ahead, for this processor or for any: python -m job.compiled.machine_code [--every-processor]
if __name__ == "__main__":
    compile_ahead(levels() if "--every-processor" in sys.argv[1:] else [_level()])

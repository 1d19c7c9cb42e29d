"""Make installed packages ready for an image: without what no run of digit-job opens, and with bytecode compiled.

    python slim.py FOLDER

Bytecode is loaded without a look at its source, for nothing in an image changes.
"""

import compileall
import os
import py_compile
import shutil
import sys
from pathlib import Path

# For compilers, type checkers and the packages' own developers.
FOLDERS = {"tests", "include", "__pycache__"}
SUFFIXES = {".a", ".c", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx"}
# Arrow's clients of services that digit-job does not speak to, and a second copy of ONNX Runtime for programs in C.
FILES = (
    "pyarrow/_flight.*",
    "pyarrow/_s3fs.*",
    "pyarrow/libarrow_flight.so.*",
    "pyarrow/libarrow_python_flight.so*",
    "pyarrow/libarrow_s3.so.*",
    "onnxruntime/capi/libonnxruntime.so.*",
)


def main() -> None:
    """Exits with 1 where a module cannot be compiled."""
    for packages in Path(sys.argv[1]).glob("**/site-packages"):
        _remove(packages)
        _share_copies(packages / "pyarrow")
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        if not compileall.compile_dir(packages, maxlevels=20, quiet=1, workers=0, invalidation_mode=mode):
            raise SystemExit(1)


def _remove(packages: Path) -> None:
    for folder, names, files in os.walk(packages):
        for name in FOLDERS.intersection(names):
            shutil.rmtree(Path(folder, name))
            names.remove(name)
        for file in map(Path, files):
            if file.suffix in SUFFIXES:
                Path(folder, file).unlink()
    for pattern in FILES:
        for path in packages.glob(pattern):
            path.unlink()


def _share_copies(folder: Path) -> None:
    """Wheels know no links, so that a library that goes by three names comes three times."""
    first: dict[bytes, Path] = {}
    for path in sorted(folder.glob("lib*.so*")):
        found = first.setdefault(path.read_bytes(), path)
        if found != path:
            path.unlink()
            path.symlink_to(found.name)


if __name__ == "__main__":
    main()

"""Scripts: those that run where nothing is installed, as modules; and stand-ins for programs on the PATH."""

import importlib.util
import sys


def load_script(path):
    """The module of a script; its folder is searched first for what it imports, as when it is run."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def write_script(path, text):
    """A program of a test's own."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path

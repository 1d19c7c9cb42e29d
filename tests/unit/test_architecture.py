"""The tree of modules: no import circles, and no two modules or classes with the same name.

`import-linter` holds the layers (pyproject.toml); these are the rules that it does not know.
"""

import ast
from collections import Counter
from pathlib import Path

import job

ROOT = Path(job.__file__).parent


def _module_name(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = sorted(ROOT.rglob("*.py"))
MODULES = {_module_name(path): path for path in PATHS}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def _runs_on_import(statement):
    return not (isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING")


def _imports(name):
    """The modules that importing a module imports: not what its functions do, nor what only type checkers read."""
    found = set()
    todo = [statement for statement in TREES[name].body if _runs_on_import(statement)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # `from job.read import arrow` imports a module, `from job.read.arrow import values` a name of one.
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {each if each in MODULES else node.module for each in modules}
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return {each for each in found if each in MODULES and each != name}


def _circle(graph):
    """Some modules that import one another in a circle; empty if there are none."""
    done = set()

    def search(name, path):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        found = next((circle for each in sorted(graph[name]) if (circle := search(each, [*path, name]))), [])
        done.add(name)
        return found

    return next((circle for name in sorted(graph) if (circle := search(name, []))), [])


def test_modules_do_not_import_one_another_in_circles():
    """So that each can be imported first, and understood on its own."""
    assert " -> ".join(_circle({name: _imports(name) for name in MODULES})) == ""


def test_a_circle_is_found():
    """Wherever it is in the graph."""
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c", "b"]
    assert _circle({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


def _repeated(names):
    return sorted(name for name, times in Counter(names).items() if times > 1)


def test_no_two_modules_have_the_same_name():
    """A traceback or an editor's tab is enough to tell which one it is."""
    # Those of the command line are named after its commands.
    stems = [path.stem for path in PATHS if path.parent.name != "cli"]
    assert _repeated(stem for stem in stems if stem not in {"__init__", "__main__"}) == []


def test_no_two_classes_have_the_same_name():
    """In all modules, private ones included."""
    classes = [node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert _repeated(classes) == []

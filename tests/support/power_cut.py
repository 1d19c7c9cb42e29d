"""A file system that remembers what a power cut would leave, as in the tests of SQLite and LevelDB.

POSIX promises no more than this: the content of a file survives that was synced since it was written, and a name in a
folder that was synced since the name was given. What happened in a folder since its last sync may survive in any
combination, and a file that was not synced may be empty under its final name.
"""

import os
from pathlib import Path

from support.faulty_file_system import FaultyFileSystem

# Which changes of folders that were not synced survive, by whether a name was given or taken away, how deep below the
# root the folder is, and the number of the change in its folder.
SURVIVALS = {
    "nothing unsynced": lambda _is_given, _depth, _number: False,
    "all names": lambda _is_given, _depth, _number: True,
    "names given": lambda is_given, _depth, _number: is_given,
    "names taken away": lambda is_given, _depth, _number: not is_given,
    "inner folders": lambda _is_given, depth, _number: depth > 1,
    "outer folders": lambda _is_given, depth, _number: depth <= 1,
    "later changes": lambda _is_given, _depth, number: number > 0,
}


class _Node:
    """A file or folder, under whatever names it has.

    synced: of a file its bytes, of a folder its nodes by name, at the last sync. names: of a folder, its nodes by name
    now. unsynced: its changes since then, each a dictionary of names with their nodes, None where a name is taken away.
    """

    def __init__(self, synced):
        self.synced = synced
        self.names = dict(synced) if isinstance(synced, dict) else None
        self.unsynced = []

    @classmethod
    def of(cls, path):
        """What exists already, which is synced."""
        if not path.is_dir():
            return cls(path.read_bytes())
        return cls({each.name: cls.of(each) for each in path.iterdir()})

    def change(self, names):
        """Give names to nodes, or take them away, at once."""
        self.unsynced.append(names)
        self.names = _changed(self.names, names)

    def left(self, survives, depth=0):
        """What survives: (path below this folder, bytes) of each file."""
        names = dict(self.synced)
        for number, change in enumerate(self.unsynced):
            if survives(any(change.values()), depth, number):
                names = _changed(names, change)
        for name, node in names.items():
            if node.names is None:
                yield name, node.synced
            else:
                yield from ((f"{name}/{path}", content) for path, content in node.left(survives, depth + 1))


def _changed(names, change):
    return {name: node for name, node in {**names, **change}.items() if node is not None}


class PowerCut(FaultyFileSystem):
    """Also follows what is synced of everything below the folder `root`, which must exist."""

    def __init__(self, root, *arguments, **options):
        super().__init__(*arguments, **options)
        self._root = Path(root)
        self._tree = _Node.of(self._root)

    def left(self, folder, survival):
        """The files below a folder that a power cut would leave now: their bytes by relative path."""
        start = "".join(f"{name}/" for name in Path(folder).relative_to(self._root).parts)
        left = self._tree.left(SURVIVALS[survival])
        return {path.removeprefix(start): content for path, content in left if path.startswith(start)}

    def create(self, path, **options):
        file = super().create(path, **options)
        self._change({path: _Node(b"")})
        return file

    def sync(self, file):
        super().sync(file)
        self._sync(file.name)

    def sync_path(self, path):
        super().sync_path(path)
        self._sync(path)

    def make_folder(self, path):
        super().make_folder(path)
        self._change({path: _Node({})})

    def link(self, source, target):
        super().link(source, target)
        self._change({target: self._node(source)})

    def rename(self, source, target):
        super().rename(source, target)
        self._change({target: self._node(source), source: None})

    def exchange(self, one, other):
        is_done = super().exchange(one, other)
        if is_done:
            self._change({one: self._node(other), other: self._node(one)})
        return is_done

    def unlink(self, path, **options):
        super().unlink(path, **options)
        self._change({path: None})

    def remove_folder(self, path, **options):
        super().remove_folder(path, **options)
        self._change({path: None})

    def _node(self, path):
        """The node of a path; None outside of the root."""
        place, node = Path(path), self._tree
        if not place.is_relative_to(self._root):
            return None
        for name in place.relative_to(self._root).parts:
            node = node.names[name]
        return node

    def _change(self, nodes):
        """Change names by their paths. In one folder that is one change, in two it is two, of which one may be lost."""
        by_folder = {}
        for path, node in nodes.items():
            folder, name = os.path.split(path)
            by_folder.setdefault(folder, {})[name] = node
        for folder, names in by_folder.items():
            if Path(folder).is_relative_to(self._root):
                self._node(folder).change(names)

    def _sync(self, path):
        node = self._node(path)
        if node is None:
            return
        if node.names is None:
            node.synced = Path(path).read_bytes()
        else:
            node.synced = dict(node.names)
        node.unsynced = []

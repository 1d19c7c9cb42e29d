import pytest

from job.storage import common_folder, join, relative_to


@pytest.mark.parametrize(
    ("folder", "names", "path"),
    [("/a", ("b",), "/a/b"), ("/a/", ("b", "c"), "/a/b/c"), ("/", ("b",), "/b")],
)
def test_join_never_doubles_a_slash(folder, names, path):
    """Whatever the folder ends with."""
    assert join(folder, *names) == path


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        (["/in/a.csv"], "/in"),
        (["/in/a.csv", "/in/b.csv"], "/in"),
        (["/in/x/a.csv", "/in/y/a.csv"], "/in"),
        (["/in/x/a.csv", "/in/xy/a.csv"], "/in"),
        (["/a.csv", "/in/b.csv"], "/"),
    ],
)
def test_common_folder_contains_every_file(paths, folder):
    """`relative_to` gives each file's path below it."""
    assert common_folder(paths) == folder
    assert [join(folder, relative_to(folder, path)) for path in paths] == paths

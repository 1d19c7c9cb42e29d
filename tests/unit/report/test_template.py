import jinja2
import pytest

from job.report import template


@pytest.fixture
def folders(monkeypatch, tmp_path):
    """An empty cache of compiled templates, and a new engine before and after."""
    monkeypatch.setattr(template.cache, "folders", lambda _source: iter([tmp_path]))
    template.environment.cache_clear()
    yield tmp_path
    template.environment.cache_clear()


def test_templates_are_compiled_once(folders, monkeypatch):
    """A second process reads the cache of the first."""
    template.environment().get_template("page.html.jinja")
    assert list(folders.iterdir())
    template.environment.cache_clear()
    monkeypatch.setattr(jinja2.Environment, "compile", None)
    template.environment().get_template("page.html.jinja")


def test_a_damaged_cache_file_is_replaced(folders):
    """Truncated code is never run."""
    template.environment().get_template("parts.html.jinja")
    (path,) = folders.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    template.environment.cache_clear()
    template.environment().get_template("parts.html.jinja")
    assert path.read_bytes() == whole


def test_paths_break_behind_slashes():
    """And are escaped."""
    page = template.environment().from_string("{{ path | breakable }}").render(path="a/<b>")
    assert page == "a/<wbr>&lt;b&gt;"

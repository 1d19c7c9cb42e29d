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


@pytest.mark.usefixtures("folders")
def test_marks_that_hide_what_a_name_is_are_spelled_out(monkeypatch):
    """Such as a mark that writes text from right to left; line breaks stay."""
    loader = jinja2.FunctionLoader(lambda _name: "<p>{{ path }}</p>\n<p>\u00e9</p>\n")
    monkeypatch.setattr(template.environment(), "loader", loader)
    assert template.render(
        "a", path="a\u202evsc.\x9b\u2028"
    ) == "<p>a\\u202evsc.\\x9b\\u2028</p>\n<p>\u00e9</p>\n".rstrip("\n")


def test_a_page_allows_nothing_but_its_own_styles_and_pictures():
    """Neither scripts nor anything from elsewhere, should a name ever get past the escaping."""
    source = (template._FOLDER / "layout.html.jinja").read_text()
    # Only the contact sheet has a script, and names it by its hash.
    source = source.replace("{% block script_policy %}{% endblock %}", "")
    with_script = [each.name for each in template._FOLDER.iterdir() if "script-src" in each.read_text(errors="replace")]
    assert with_script == ["sheet.html.jinja"]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    head = source.partition("<head>")[2].partition("<title>")[0]
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in head

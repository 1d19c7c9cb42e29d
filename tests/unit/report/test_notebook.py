from html.parser import HTMLParser

from job.report.notebook import framed


class _Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_a_page_in_a_frame_stays_in_it():
    """Whatever quotes and tags it has; the sandbox allows nothing."""
    page = '<p title=\'a\' class="b">&amp; "</iframe><script>alert(1)</script>'
    [(tag, attributes)] = _Tags(framed(page, 'Report of "><b>')).found
    assert tag == "iframe"
    assert attributes["srcdoc"] == page
    assert attributes["title"] == 'Report of "><b>'
    assert attributes["sandbox"] is None

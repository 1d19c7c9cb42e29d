"""Shows a page in a notebook: Jupyter asks an object for HTML by calling its `_repr_html_`.

The results of `job.score`, `job.train` and `job.open_results` answer with the page of `page` or of a training.
"""

from html import escape


def framed(page: str, title: str) -> str:
    """A page as a frame for a notebook, which it can neither reach nor run scripts in.

    The frame holds the page itself, so that a saved notebook shows it without the output folder.
    """
    return (
        f'<iframe title="{escape(title)}" sandbox loading="lazy" style="width:100%;height:80vh;min-height:30rem;'
        f'border:0" srcdoc="{escape(page)}"></iframe>'
    )

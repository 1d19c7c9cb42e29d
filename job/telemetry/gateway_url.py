"""The URL of a Pushgateway: where to push, as whom, and what of it may be shown.

`prometheus` pushes with its `post`, because Prometheus's client would take user, password and query for parts of the
address, and urllib would follow a redirect to another host with the password.
"""

import base64
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from job.redaction import redacted

_SCHEMES: Final = ("http", "https")


@dataclass(frozen=True, slots=True)
class GatewayUrl:
    """A URL as the user wrote it, taken apart. shown: without its secrets. address: scheme, host, port and path."""

    shown: str
    address: str
    authorization: str | None = field(repr=False)
    query: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "GatewayUrl":
        """Parse a URL, of `http` if it names no scheme. Raises ValueError, which quotes nothing of it."""
        url = urllib.parse.urlsplit(text if "://" in text else f"http://{text}")
        # As in Prometheus's client. What the user wrote before a scheme of its own is no host.
        if url.scheme not in _SCHEMES:
            raise ValueError(f"expected a URL of {' or '.join(_SCHEMES)}")
        user, _, host = url.netloc.rpartition("@")
        if not host or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("expected a URL such as http://host:9091, with other characters percent-encoded")
        credentials = urllib.parse.unquote(user) if ":" in user else f"{urllib.parse.unquote(user)}:"
        basic = f"Basic {base64.b64encode(credentials.encode()).decode()}" if user else None
        return cls(shown_url(text), f"{url.scheme}://{host}{url.path.rstrip('/')}", basic, url.query)

    def post(
        self, url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        """The request, as a handler of Prometheus's client. Raises OSError and http.client.HTTPException."""

        def send() -> None:
            full = f"{url}?{self.query}" if self.query else url
            request = urllib.request.Request(full, data, dict(headers), method=method)  # noqa: S310  # parse checks it
            if self.authorization:
                request.add_unredirected_header("Authorization", self.authorization)
            urllib.request.build_opener(_NoRedirects).open(request, timeout=timeout).close()

        return send


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A push that is sent elsewhere would arrive there without its figures, as GET, and is an error instead."""

    def redirect_request(self, *_request: Any) -> None:
        """None, after which urllib raises the answer as an HTTPError."""


def shown_url(text: str) -> str:
    """A gateway's URL without its secrets, also if it has no scheme or cannot be parsed."""
    text = "".join(text.split())  # a password with a blank, which no URL has, ends there in other text
    return redacted(text) if "://" in text else redacted(f"http://{text}").removeprefix("http://")

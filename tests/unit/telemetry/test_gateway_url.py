import base64
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from job.telemetry.gateway_url import GatewayUrl
from job.telemetry.prometheus import Pushgateway
from job.telemetry.recorder import Recorder


@contextmanager
def server(status, location=None):
    """A server that answers with a status; yields its port and the requests, as path and Authorization."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer()

        def do_GET(self):
            self._answer()

        def _answer(self):
            requests.append((self.command, self.path, self.headers["Authorization"]))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *_):
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening.server_port, requests
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("text", "shown", "address", "credentials", "query"),
    [
        ("http://host:9091", "http://host:9091", "http://host:9091", None, ""),
        ("host:9091/a/", "host:9091/a/", "http://host:9091/a", None, ""),
        ("https://u:p%40ss@host/a?t=1", "https://***@host/a?***", "https://host/a", "u:p@ss", "t=1"),
        ("u:p@ss@host:9091", "***@host:9091", "http://host:9091", "u:p@ss", ""),
        ("https://token@host", "https://***@host", "https://host", "token:", ""),
    ],
)
def test_a_url_is_taken_apart(text, shown, address, credentials, query):
    """What is shown has no secrets; Prometheus's client is given the address alone."""
    url = GatewayUrl.parse(text)
    basic = credentials and f"Basic {base64.b64encode(credentials.encode()).decode()}"
    assert (url.shown, url.address, url.authorization, url.query) == (shown, address, basic, query)
    assert "p%40ss" not in repr(url)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://u:SECRET@host", "http://u:SECRET@[", "http://u:SECRET@", "http://u:SECRET X@host",
        "http://u:X SECRET@host",         "http://u:SECRET\x1b@host", "u:SECRETä@host", "http://u:SECRET@host\u00e4", "://SECRET@",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_pushed_to_is_not_quoted(text, caplog):
    """Neither in the error nor in the warning."""
    with pytest.raises(ValueError, match=r"expected a URL|Invalid") as error:
        GatewayUrl.parse(text)
    assert "SECRET" not in str(error.value)
    Pushgateway(text, Recorder()).end(None)
    assert "SECRET" not in caplog.records[0].getMessage()


def test_a_password_and_a_query_are_sent_and_never_logged(caplog):
    """By HTTP Basic authentication, also if the gateway refuses."""
    for status in (202, 401):
        with server(status) as (port, requests):
            Pushgateway(f"http://user:SECRET@127.0.0.1:{port}/a?token=SECRET", Recorder()).end(None)
        basic = base64.b64encode(b"user:SECRET").decode()
        assert requests == [("POST", "/a/metrics/job/digit-job?token=SECRET", f"Basic {basic}")]
    [record] = caplog.records
    assert "SECRET" not in f"{record.getMessage()} {record.fields}"
    assert "401" in record.getMessage()


def test_a_redirect_is_not_followed(caplog):
    """The password would go to another host, and the figures nowhere."""
    with server(200) as (elsewhere, others), server(302, f"http://127.0.0.1:{elsewhere}/") as (port, requests):
        Pushgateway(f"http://user:SECRET@127.0.0.1:{port}", Recorder()).end(None)
    assert (len(requests), others) == (1, [])
    assert "302" in caplog.text

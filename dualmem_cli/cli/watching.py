"""Watching a load go on: OpenMetrics text in a file and over HTTP, and lines on the terminal. All of it happens between two sections, but
for the answer to a scraper, which is a copy of text that was made then.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from dualmem_cli.errors import DualmemError
from dualmem_cli.model.load import LoadRun, Part, Played
from dualmem_cli.report.exposition import CONTENT_TYPE
from dualmem_cli.report.watching import LoadTally, lines, openmetrics

LOOPBACK = "127.0.0.1"


class Watching:
    """A Watch (laboratory.py) that shows, writes and serves."""

    def __init__(self, *, file: Path | None, terminal: bool) -> None:
        self._tally = LoadTally()
        self._file = file
        self._terminal = terminal
        self._drawn = 0
        self.lost = ""  # why the file does not hold the last section
        self.text = openmetrics(self._tally).encode()
        if file is not None:
            self._write()  # a folder that cannot be written to is better met now than after a section

    def __call__(self, run: LoadRun, part: Part, played: Played, /) -> None:
        self._tally.add(run, part, played)
        self.text = openmetrics(self._tally).encode()
        if self._file is not None:
            try:
                self._write()
                self.lost = ""
            except DualmemError as error:  # a full disk must not end hours of measuring; the next section tries again
                self.lost = error.what
        if self._terminal:
            self._draw(lines(self._tally))

    def clear(self) -> None:
        """Take the lines off the terminal."""
        if self._terminal:
            self._draw([])

    def _write(self) -> None:
        from dualmem_cli.store.documents import write_atomically

        assert self._file is not None
        write_atomically(self._file, self.text, hint="Choose another file with --metrics.")

    def _draw(self, shown: list[str]) -> None:
        """Over what was drawn before. No live display of rich: its thread would draw while a section is measured."""
        from rich.console import Console

        width = Console(stderr=True).width
        up = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else "\r\x1b[J"
        text = "".join(f"{line[: width - 1]}\n" for line in shown)
        print(f"{up}{text}", end="", file=sys.stderr, flush=True)
        self._drawn = len(shown)


@contextlib.contextmanager
def served(watching: Watching, *, port: int | None, host: str = LOOPBACK) -> Iterator[None]:
    """Serve the text at /metrics while the block runs; nowhere without a port. Raises DualmemError when the port cannot be had."""
    if port is None:
        yield
        return

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.partition("?")[0] in ("/", "/metrics")
            body = watching.text if found else b"metrics are at /metrics\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", CONTENT_TYPE if found else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing: the terminal belongs to the run."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise DualmemError(
            f"{host}:{port}: {error.strerror}", hint="Choose another --metrics-port, or an address of this machine."
        ) from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

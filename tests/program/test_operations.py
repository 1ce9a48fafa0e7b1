"""A server under unkind operations: nobody reads its log, it starts with few descriptors, its metrics are elsewhere."""

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.program.conftest import halves
from tests.program.server import DARKROOM, Home, Server

_REFUSED = 2_000
_BATCH = 50
_PIPE_BYTES = 65_536


@pytest.fixture(scope="module")
def operated(home: Home) -> Iterator[tuple[Server, httpx.Client]]:
    """Give a server that logs every request into a pipe that nobody reads, and a client of its operations port."""
    command = ["sh", "-c", 'ulimit -Sn 256 && exec "$0" serve --port 0', str(DARKROOM)]
    settings = {"DARKROOM_LOG_REQUESTS": "all", "DARKROOM_OPS_PORT": "0"}
    environment = {**home.environment, **settings}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        ports: dict[str, int] = {}
        lines = []
        while len(ports) < 2:
            lines.append(process.stderr.readline())
            assert lines[-1], "".join(lines)
            if match := re.search(r"(listening|metrics) on http://[^:]+:(\d+)", lines[-1]):
                ports[match[1]] = int(match[2])
        server = Server(process, ports["listening"], lines)
        with server.http, httpx.Client(base_url=f"http://127.0.0.1:{ports['metrics']}") as operations:
            yield server, operations
        if process.poll() is None:
            process.kill()


def test_readiness_and_metrics_are_on_their_own_port_alone(operated: tuple[Server, httpx.Client]) -> None:
    server, operations = operated
    assert [server.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200, 404, 404]
    assert [operations.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]
    assert operations.get("/readyz").json()["status"] == "ready"
    assert "darkroom_requests_total" in operations.get("/metrics").text
    assert operations.get(f"/t/acme/{'a' * 64}/w10").status_code == 404


def test_the_limit_of_open_files_is_raised(operated: tuple[Server, httpx.Client]) -> None:
    server, _ = operated
    limits = Path(f"/proc/{server.process.pid}/limits").read_text()
    match = re.search(r"Max open files +(\d+) +(\d+)", limits)
    assert match
    assert int(match[1]) == min(int(match[2]), 65_536) > 256
    assert any("raised the limit of open files" in line for line in server.lines)


def test_a_log_that_nobody_reads_stops_nothing(home: Home, operated: tuple[Server, httpx.Client]) -> None:
    server, operations = operated
    original = home.upload(halves(seed=11))[0]["original"]
    refused = f"GET /t/acme/{original}/w20-webp HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        for _ in range(_REFUSED // _BATCH):
            client.sendall(refused * _BATCH)
            received = b""
            while received.count(b"HTTP/1.1 403 Forbidden\r\n") < _BATCH:
                received += client.recv(_PIPE_BYTES)
    assert server.get("/healthz").status_code == 200
    assert server.picture(original, "w21-webp").status_code == 200
    assert "darkroom_log_records_dropped_total 0.0" in operations.get("/metrics").text


def test_a_server_whose_log_nobody_reads_stops_as_told(operated: tuple[Server, httpx.Client]) -> None:
    server, _ = operated
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0

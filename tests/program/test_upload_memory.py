"""Uploads of a real server: however many come at once, its memory stays flat, and each is answered."""

import json

import pytest

from tests.program.server import Home, serving
from tests.program.uploading import forget_peak, resident_bytes, upload_all

LARGE, LARGE_BYTES = 20, 20_000_000
SMALL, SMALL_BYTES = 60, 20_000
MIB = 2**20


@pytest.mark.timeout(300)
def test_the_server_s_memory_stays_flat_while_it_takes_in_large_uploads(home: Home) -> None:
    """20 uploads of 20 MB at once are 400 MB; were they held in memory, or a tenth of them, it would show."""
    created = home.run("token", "create", "--tenant", "acme", "--role", "contributor", "--json")
    assert created.returncode == 0, created.stderr
    tokens = [json.loads(created.stdout)["token"]]
    with serving(home, DARKROOM_WORKERS="1", DARKROOM_JOB_CONCURRENCY="0") as server:
        pid = server.process.pid
        assert set(upload_all(server.port, tokens, SMALL_BYTES, range(SMALL), 8)) == {201}
        forget_peak(pid)
        before = resident_bytes(pid)
        statuses = upload_all(server.port, tokens, LARGE_BYTES, range(1_000, 1_000 + LARGE), LARGE)
        assert len(statuses) == LARGE
        assert set(statuses) <= {201, 503}
        assert 201 in statuses
        assert resident_bytes(pid, "VmHWM") - before < 60 * MIB

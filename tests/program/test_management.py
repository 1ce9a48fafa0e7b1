"""The two planes of one server: the API beside pictures, and each plane alone."""

import json
import subprocess
import sys

from tests.program.server import Home, Server, serving


def token_of(home: Home, role: str = "admin") -> str:
    done = home.run("token", "create", "--tenant", "acme", "--role", role, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["token"])


def test_the_api_answers_beside_pictures(home: Home, server: Server, original: str) -> None:
    headers = {"authorization": f"Bearer {token_of(home)}"}
    listed = server.http.get("/api/tokens", headers=headers)
    assert (listed.status_code, listed.json()["items"][0]["role"]) == (200, "admin")
    assert [job["kind"] for job in server.http.get("/api/jobs", headers=headers).json()["items"]] == ["image.process"]
    assert server.http.get("/api/tokens").status_code == 401
    assert server.picture(original, "w41-webp").status_code == 200
    raw = server.raw(b"GET /api/tokens HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 400 "), "a request without Host"


def test_a_body_that_is_announced_as_too_large_is_refused_before_it_is_sent(home: Home, server: Server) -> None:
    head = (
        b"POST /api/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token_of(home).encode() + b"\r\n"
        b"Content-Type: application/json\r\nContent-Length: 10000000\r\nExpect: 100-continue\r\n\r\n"
    )
    answer = server.raw(head)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer


def test_a_revoked_token_stops_within_seconds(home: Home, server: Server) -> None:
    text = token_of(home)
    headers = {"authorization": f"Bearer {text}"}
    assert server.http.get("/api/tokens", headers=headers).status_code == 200
    assert home.run("token", "revoke", "--tenant", "acme", text.split("_")[1]).returncode == 0
    server.wait_until(lambda: server.http.get("/api/tokens", headers=headers).status_code == 401, 6.0)


def test_each_plane_can_be_served_alone(home: Home, original: str) -> None:
    headers = {"authorization": f"Bearer {token_of(home)}"}
    with serving(home, "--only", "delivery") as server:
        assert server.picture(original, "w42-webp").status_code == 200
        assert server.http.get("/api/tokens", headers=headers).status_code == 404
    with serving(home, "--only", "management") as server:
        assert server.http.get("/api/tokens", headers=headers).status_code == 200
        assert server.picture(original, "w43-webp").status_code == 404


def test_delivery_nodes_do_not_load_the_api() -> None:
    code = "import sys, catalog.app; print([name for name in ('fastapi', 'joserfc', 'limits') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

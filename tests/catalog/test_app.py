"""The process's application: what goes where, and who may read readiness and metrics. No backend is opened."""

import json
from typing import TYPE_CHECKING, cast

import pytest
from pydantic import SecretStr

from catalog.app import App
from proxy.http.health import Health
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics
from tests.http.world import HOST, World, call, fast

if TYPE_CHECKING:
    from proxy.telemetry.logs import LogWriter

LOCAL, REMOTE = ("127.0.0.1", 40_000), ("203.0.113.7", 40_000)


class NoLog:
    dropped = 0


def make_app(world: World, **settings: object) -> App:
    """Return an application whose lifespan has not run: its delivery is over memory ports."""
    app = App(Settings(**settings), cast("LogWriter", NoLog()))  # type: ignore[arg-type]
    app._delivery = world.app
    app._health = Health(Metrics(), {}, {})
    return app


async def statuses(app: App, client: tuple[str, int], *fields: tuple[bytes, bytes], ops: bool = False) -> list[int]:
    """Return the statuses of /healthz, /readyz and /metrics."""
    asgi = app.ops if ops else app
    paths = ("/healthz", "/readyz", "/metrics")
    return [(await call(asgi, path, "GET", (HOST, *fields), client=client)).status for path in paths]


async def test_pictures_go_to_delivery_and_by_the_fast_path() -> None:
    world = World()
    app = make_app(world)
    assert app.respond_from_memory(b"/healthz", [HOST]) is None
    assert fast(app.respond_from_memory, world.target("w30-webp")) is None
    assert (await call(app, world.target("w30-webp"))).body == b"30x20 webp"
    received = fast(app.respond_from_memory, world.target("w30-webp"))
    assert received is not None
    assert received.body == b"30x20 webp"


@pytest.mark.parametrize("path", ["/", "/t", "/nothing", "/demo", "/api"])
async def test_other_paths_are_404_with_a_problem_document(path: str, tmp_path: object) -> None:
    received = await call(make_app(World(), home=tmp_path), path, client=LOCAL)
    document = json.loads(received.body)
    assert (received.status, document["code"]) == (404, "nowhere")
    assert received.headers["x-request-id"] == document["request"]


async def test_by_default_the_public_port_answers_loopback_clients() -> None:
    app = make_app(World())
    assert await statuses(app, LOCAL) == [200, 200, 200]
    assert await statuses(app, REMOTE) == [200, 404, 404]
    assert await statuses(app, LOCAL, (b"x-forwarded-for", b"203.0.113.7")) == [200, 404, 404]


async def test_with_a_port_of_their_own_they_leave_the_public_one() -> None:
    app = make_app(World(), ops_port=9_000)
    assert await statuses(app, LOCAL) == [200, 404, 404]
    assert await statuses(app, REMOTE, ops=True) == [200, 200, 200]


async def test_with_a_token_they_need_it_on_either_port() -> None:
    token = (b"authorization", b"Bearer a token")
    app = make_app(World(), ops_token=SecretStr("a token"))
    assert await statuses(app, LOCAL) == [200, 401, 401]
    assert await statuses(app, REMOTE, token) == [200, 200, 200]
    both = make_app(World(), ops_token=SecretStr("a token"), ops_port=9_000)
    assert await statuses(both, LOCAL, token) == [200, 404, 404]
    assert await statuses(both, REMOTE, ops=True) == [200, 401, 401]
    assert await statuses(both, REMOTE, token, ops=True) == [200, 200, 200]


async def test_a_request_without_a_host_reaches_nothing() -> None:
    app = make_app(World())
    for asgi in (app, app.ops):
        received = await call(asgi, "/healthz", "GET", (), client=LOCAL)
        assert (received.status, json.loads(received.body)["code"]) == (400, "malformed")

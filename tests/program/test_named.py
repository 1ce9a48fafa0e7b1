"""What has a name, over a socket: presets with and without a seal, watermarks, hints, facts, placeholders."""

import json
import re
import time

import pyvips

from tests.pictures import near, solid
from tests.program.conftest import halves
from tests.program.server import Home, Server, sign

NAMED = "public, max-age=3600, stale-while-revalidate=86400, stale-if-error=604800"


def path(original: str, recipe: str) -> str:
    return f"/t/acme/{original}/{recipe}"


def test_a_preset_is_its_recipe(server: Server, original: str) -> None:
    named = server.picture(original, "~icon")
    assert named.status_code == 200
    assert named.headers["cache-control"] == NAMED
    assert named.headers["etag"] == server.picture(original, "w32-h32-q85-auto").headers["etag"]
    wider = server.picture(original, "~icon-w40-png")
    picture = pyvips.Image.new_from_buffer(wider.content, "")
    assert (picture.width, picture.height, wider.headers["content-type"]) == (40, 32, "image/png")


def test_a_focal_point_is_in_the_urls_that_are_minted(server: Server, home: Home) -> None:
    original = str(home.upload(halves(seed=77))[0]["original"])
    before = home.run("sign", path(original, "w100-h200-png")).stdout.strip()
    assert home.run("focus", "acme", original, "0.1_0.5").returncode == 0
    after = home.run("sign", path(original, "w100-h200-png")).stdout.strip()
    assert "w100-h200-fp0.1_0.5-png" in after
    middle, left, kept = (
        pyvips.Image.new_from_buffer(server.get(url.removeprefix("http://127.0.0.1:8000")).content, "")
        for url in (before, after, home.run("sign", path(original, "w100-h200-fp0.1_0.5-png")).stdout.strip())
    )
    assert middle(99, 100)[2] > 100 > left(99, 100)[2]
    assert (left - kept).abs().max() == 0
    assert home.run("upload", str(home.folder / "upload-0"), "--tenant", "acme").returncode == 0
    assert "fp0.1_0.5" in home.run("sign", path(original, "w100-h200-png")).stdout
    assert home.run("focus", "acme", original, "0.5_0.5").returncode == 0
    assert home.run("sign", path(original, "w100-h200-png")).stdout.strip() == before
    assert home.run("focus", "acme", original, "2_2").returncode == 1
    assert home.run("focus", "acme", "0" * 64, "0.1_0.2").returncode == 1
    assert home.run("focus", "acme", "photo.jpg", "0.1_0.2").returncode == 2


def test_a_minted_focal_point_stays_in_the_middle_of_what_is_cropped_and_turned(server: Server, home: Home) -> None:
    """A red spot on a photograph that lies on its side; the sides of a crop are the upright one's."""
    spotted = solid(90, 60, (0, 0, 0)).draw_rect([220, 30, 30], 18, 36, 9, 9, fill=True).rot270().copy()
    spotted.set_type(pyvips.GValue.gint_type, "orientation", 6)
    original = str(home.upload(bytes(spotted.jpegsave_buffer(Q=95, subsample_mode="off")))[0]["original"])
    assert home.run("focus", "acme", original, "0.25_0.675").returncode == 0
    for recipe in ("rot90-w9-h90", "rot270-flop-w60-h9", "crop9_20_60_40-w9-h40", "crop0_0.5_0.5_0.5-flip-w45-h9"):
        url = home.run("sign", path(original, f"{recipe}-png")).stdout.strip()
        shown = pyvips.Image.new_from_buffer(server.get(url.removeprefix("http://127.0.0.1:8000")).content, "")
        middle = shown.crop(4, 0, 1, shown.height) if shown.width == 9 else shown.crop(0, 4, shown.width, 1)
        assert middle[0].max() > 150, url


def test_an_unknown_preset_says_so(server: Server, original: str) -> None:
    answer = server.picture(original, "~nothing-w40")
    assert (answer.status_code, answer.json()["code"]) == (400, "recipe")
    assert answer.json()["fault"].splitlines()[1] == "^^^^^^^^"


def test_a_preset_needs_a_seal_unless_the_tenant_says_otherwise(server: Server, home: Home, original: str) -> None:
    assert server.get(path(original, "~large")).status_code == 403
    home.run("preset", "put", "acme", "open", "w20-h20-png", "--unsigned")
    server.wait_until(lambda: server.get(path(original, "~open")).status_code == 200)
    assert server.get(path(original, "~open-w30")).status_code == 403
    assert server.get(path(original, "w20-h20-png")).status_code == 403
    assert server.get(path(original, "~open") + f"?e={int(time.time()) + 60}").status_code == 403
    assert server.get(path(original, "~open") + "?s=wrong").status_code == 403


def test_an_unsigned_preset_is_served_at_the_sizes_of_its_ladder(server: Server, home: Home, original: str) -> None:
    words = ("--unsigned", "--widths", "20,30", "--dprs", "1.5,2")
    home.run("preset", "put", "acme", "rung", "w40-png", *words)
    server.wait_until(lambda: server.get(path(original, "~rung")).status_code == 200)
    for recipe, width in (("~rung-w30", 30), ("~rung-dpr2", 80), ("~rung-w20-dpr1.5", 30)):
        answer = server.get(path(original, recipe))
        assert answer.status_code == 200, recipe
        assert pyvips.Image.new_from_buffer(answer.content, "").width == width
        assert answer.headers["etag"] == server.picture(original, recipe).headers["etag"]
    for recipe in ("~rung-w31", "~rung-dpr3", "~rung-w30-webp", "~rung-h30", "~rung-w20-dpr1.5-q50"):
        assert server.get(path(original, recipe)).status_code == 403, recipe


def test_a_changed_preset_is_followed_within_seconds(server: Server, home: Home, original: str) -> None:
    home.run("preset", "put", "acme", "moving", "w20-png")
    server.wait_until(lambda: server.picture(original, "~moving").status_code == 200)
    before = server.picture(original, "~moving").headers["etag"]
    home.run("preset", "put", "acme", "moving", "w30-png")
    server.wait_until(lambda: server.picture(original, "~moving").headers["etag"] != before)
    home.run("preset", "delete", "acme", "moving")
    server.wait_until(lambda: server.picture(original, "~moving").status_code == 400)


def test_a_watermark_is_laid_over_and_may_change(server: Server, home: Home, original: str) -> None:
    red, blue = (220, 30, 30), (30, 30, 220)
    for paint in (red, blue):
        file = home.folder / "logo.png"
        file.write_bytes(solid(20, 20, (*paint, 255)).pngsave_buffer())
        home.run("watermark", "put", "acme", "logo", str(file))

        def laid(paint: tuple[int, ...] = paint) -> bool:
            answer = server.picture(original, "w60-h60-wm_logo_c_50-png")
            if answer.status_code != 200:
                return False
            assert answer.headers["cache-control"] == NAMED
            return near(pyvips.Image.new_from_buffer(answer.content, ""), 30, 30, paint, 3)

        server.wait_until(laid)
    assert server.picture(original, "w60-h60-wm_other-png").json()["code"] == "recipe"


def test_a_text_is_drawn_behind_the_walls(server: Server, original: str) -> None:
    text = "Zürich שלום مرحبا 🙂".encode().hex()
    answer = server.picture(original, f"w60-h60-text{text}_c_90-png")
    assert answer.status_code == 200
    assert answer.headers["etag"] != server.picture(original, "w60-h60-png").headers["etag"]
    assert answer.content != server.picture(original, "w60-h60-png").content


def test_json_tells_the_facts(server: Server, original: str) -> None:
    answer = server.picture(original, "json")
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert told["original"] == original
    assert {"bytes", "format", "media_type", "width", "height", "frames", "alpha", "icc", "orientation"} < set(told)
    assert server.picture(original, "json").headers["server-timing"] == 'tier;desc="memory"'
    head = server.http.head(sign(path(original, "json")))
    assert (head.status_code, head.headers["content-type"]) == (200, "application/json")


def test_placeholders_are_text_and_a_tiny_picture(server: Server, original: str) -> None:
    blur, thumb, lqip = (server.picture(original, word) for word in ("blurhash", "thumbhash", "lqip"))
    assert blur.headers["content-type"] == thumb.headers["content-type"] == "text/plain; charset=us-ascii"
    assert len(blur.text) == 28
    assert re.fullmatch("[A-Za-z0-9+/=]{8,44}", thumb.text)
    assert lqip.headers["content-type"] == "image/webp"
    assert len(lqip.content) < 1_000
    assert server.picture(original, "blurhash").text == blur.text


def test_a_download_has_a_file_name(server: Server, original: str) -> None:
    told = server.picture(original, "w20-dl-jpeg").headers["content-disposition"]
    assert told == f'attachment; filename="{original[:16]}.jpg"'
    assert "content-disposition" not in server.picture(original, "w20-jpeg").headers
    cold = server.http.head(sign(path(original, "w23-dl-jpeg")))
    assert cold.headers["content-disposition"] == told


def test_hints_count_where_the_tenant_says_so(server: Server, home: Home, original: str) -> None:
    target = sign(path(original, "w20-auto"))

    def width(**hints: str) -> int:
        answer = server.http.get(target, headers={name.replace("_", "-"): value for name, value in hints.items()})
        return int(pyvips.Image.new_from_buffer(answer.content, "").width)

    assert width(sec_ch_dpr="2") == 20
    assert server.get(target).headers["vary"] == "Accept"
    home.run("tenant", "set", "acme", "--hints")
    server.wait_until(lambda: width(sec_ch_dpr="2") == 40)
    assert (width(), width(dpr="1.2"), width(save_data="on")) == (20, 30, 20)
    assert "Save-Data" in server.get(target).headers["vary"]
    assert server.http.get(target, headers={"save-data": "on"}).headers["etag"] != server.get(target).headers["etag"]
    home.run("tenant", "set", "acme", "--no-hints")
    server.wait_until(lambda: width(sec_ch_dpr="2") == 20)


def first_refused(server: Server, original: str, width: int, output: str) -> str:
    """Request one width after the other until one is refused, and return its recipe.

    A picture that is rendered before the server follows a changed limit stays cached, so no width is asked twice.
    """
    recipes = (f"w{side}-{output}" for side in range(width, width + 1000))
    refused: list[str] = []

    def request() -> bool:
        recipe = next(recipes)
        refused.extend([recipe] if server.picture(original, recipe).status_code == 422 else [])
        return bool(refused)

    server.wait_until(request)
    return refused[0]


def test_a_tenant_s_limits_are_its_own(server: Server, home: Home, original: str) -> None:
    home.run("tenant", "set", "acme", "--limit", "output_side=30")
    recipe = first_refused(server, original, 31, "png")
    assert server.picture(original, "w30-png").status_code == 200
    home.run("tenant", "set", "acme", "--limit", "output_side=")
    # also what was refused before: limits that are lifted are not remembered
    server.wait_until(lambda: server.picture(original, recipe).status_code == 200)
    home.run("tenant", "set", "acme", "--limit", "source_bytes=100")
    recipe = first_refused(server, original, 1100, "png")
    told = server.picture(original, recipe).json()["detail"]
    assert re.fullmatch(r"The original has \d+ bytes; the limit is 100\.", told)
    assert server.http.head(sign(path(original, "w33-jpeg"))).status_code == 422
    home.run("tenant", "set", "acme", "--limit", "source_bytes=")
    server.wait_until(lambda: server.picture(original, recipe).status_code == 200)


def test_a_refusal_of_auto_is_one_class_of_clients(server: Server, home: Home, original: str) -> None:
    """A cache must not tell a browser that reads WebP what one that does not was told."""
    home.run("tenant", "set", "acme", "--limit", "output_side=40")
    recipe = first_refused(server, original, 41, "auto")
    assert server.picture(original, recipe).headers["vary"] == "Accept"
    assert "vary" not in server.picture(original, recipe.replace("auto", "webp")).headers
    home.run("tenant", "set", "acme", "--limit", "output_side=")
    server.wait_until(lambda: server.picture(original, recipe).status_code == 200)


def test_linear_light_has_other_names(server: Server, home: Home, original: str) -> None:
    before = server.picture(original, "w21-png").headers["etag"]
    home.run("tenant", "set", "acme", "--linear", "--crisp")
    server.wait_until(lambda: server.picture(original, "w21-png").headers["etag"] != before)
    assert server.picture(original, "w21-png").status_code == 200
    home.run("tenant", "set", "acme", "--no-linear", "--no-crisp")
    server.wait_until(lambda: server.picture(original, "w21-png").headers["etag"] == before)


def test_sign_says_what_is_wrong_with_a_preset(home: Home, original: str) -> None:
    assert "~card" in json.loads(home.run("sign", path(original, "~card-w640"), "--json").stdout)["url"]
    refused = home.run("sign", path(original, "~nothing"))
    assert refused.returncode == 1
    assert "The tenant has no preset with this name." in refused.stderr

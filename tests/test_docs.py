"""Documentation is tested: its tables are complete, its examples run."""

import json
import re
import subprocess
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from pydantic import SecretStr

from catalog.api.markdown import render
from catalog.core.search.fields import RULES
from catalog.management import create_application
from catalog.search.facets import FACETS
from catalog.search.orders import ORDERS
from proxy.core.errors import DarkroomError
from proxy.core.recipe.grammar import parse
from proxy.core.recipe.options import OPTIONS
from proxy.core.recipe.recipe import is_set
from proxy.core.url.source_reference import read_reference
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics
from tests import gallery
from tests.core.test_errors import every
from tests.core.url.test_signing import SECRET, VECTORS
from tests.pictures import decoded
from tests.tools import require

_SAME = 1.0
"""Mean difference of a channel, of 255, between a picture of the docs and the one that comes out now."""
ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def rows(page: str) -> list[list[str]]:
    """Give the cells of every table row of a page."""
    lines = (DOCS / page).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]


def ticked(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_the_option_table_is_the_one_the_pixel_room_makes() -> None:
    """Else: python -m tests.gallery."""
    page = gallery.PAGE.read_text()
    assert "\n".join((gallery.BEGIN, *gallery.table(), gallery.END)) in page


def test_every_option_has_an_example_that_says_it() -> None:
    assert list(gallery.EXAMPLES.keys() ^ {row.field for row in OPTIONS}) == []
    for field, (recipe, _) in gallery.EXAMPLES.items():
        assert str(parse(recipe)) == recipe
        assert is_set(getattr(parse(recipe), field))


def test_every_example_picture_is_what_comes_out_now() -> None:
    made = dict(gallery.pictures())
    assert {path.name for path in gallery.PICTURES.iterdir()} == set(made)
    for name, body in made.items():
        kept, now = decoded((gallery.PICTURES / name).read_bytes()), decoded(body)
        assert (kept.width, kept.height, kept.bands) == (now.width, now.height, now.bands), name
        assert (kept - now).abs().avg() <= _SAME, name


def test_every_setting_has_a_row_with_its_default_and_meaning() -> None:
    told = {ticked(row[0])[0]: row for row in rows("settings.md") if row[0].startswith("`")}
    assert set(told) == {f"DARKROOM_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        row = told[f"DARKROOM_{name.upper()}"]
        assert row[1].strip("`–") == str(default)
        assert row[2].rstrip(" |") == field.description


def test_every_code_has_a_row_with_its_status_and_lifetime() -> None:
    told = {ticked(row[0])[0]: row for row in rows("answers.md") if len(row) == 4 and row[0].startswith("`")}
    kinds = {kind.code: kind for kind in every(DarkroomError) if kind.__module__ == "proxy.core.errors"}
    assert set(told) == set(kinds)
    for code, kind in kinds.items():
        assert told[code][1] == str(kind.status)
        assert told[code][2] == ("no" if kind.max_age_s is None else f"{kind.max_age_s} s")


def test_every_code_of_the_api_has_a_row_with_its_status() -> None:
    told = {ticked(row[0])[0]: row[1] for row in rows("answers.md") if len(row) == 3 and row[0].startswith("`")}
    kinds = [kind for kind in every(DarkroomError) if kind.__module__ == "catalog.core.api_errors"]
    codes = {kind.code: str(kind.status) for kind in kinds if "code" in vars(kind)}
    assert {code: told.get(code) for code in codes} == codes


def test_the_page_of_the_api_is_the_one_that_its_routes_make() -> None:
    """Else: make docs."""
    assert (DOCS / "api.md").read_text() == render(create_application().document)


def test_every_metric_has_a_row() -> None:
    metrics = Metrics()
    metrics.count_response(200, "memory", 1)
    metrics.observe_stages((("render", 0.1),))
    metrics.count_skip("redis")
    counted = re.findall(r"^# TYPE (darkroom_\w+)", generate_latest(metrics.registry).decode(), re.MULTILINE)
    wiring = "".join((ROOT / name).read_text() for name in ("proxy/app.py", "catalog/app.py", "catalog/management.py"))
    read = re.findall(r'metrics\.(?:gauge|counter|labelled_counter)\(\s*"(\w+)"', wiring)
    names = {name for name in (*counted, *read) if not name.endswith("_created")}
    told = {ticked(row[0])[0] for row in rows("operations.md") if row[0].startswith("`darkroom_")}
    assert told == names


def code(page: Path, language: str) -> str:
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL))


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "signing.md"])
def test_the_python_recipes_make_the_published_seals(page: Path) -> None:
    told: dict[str, object] = {}
    exec(code(page, "python"), told)
    for name in ("sign", "sign_too"):
        if name in told:
            assert told[name](SECRET, VECTORS[0][0]) == f"{VECTORS[0][0]}?s={VECTORS[0][1]}"  # type: ignore[operator]


def test_the_recipe_for_references_makes_the_links_of_its_page() -> None:
    page = DOCS / "sources.md"
    told: dict[str, object] = {}
    exec(code(page, "python"), told)
    examples = re.findall(r'/t/acme/(~[\w-]+)/.*?"([^"]+)"', page.read_text())
    assert len(examples) == 2
    for original, address in examples:
        assert told["reference"](address) == original  # type: ignore[operator]
        assert str(read_reference(original)) == address


def test_the_signing_page_has_every_vector() -> None:
    page = (DOCS / "signing.md").read_text()
    assert all(seal in page for _, seal in VECTORS)


def test_the_javascript_recipe_makes_the_published_seals() -> None:
    require("node")
    path, expires = VECTORS[1][0].split("?e=")
    program = (
        code(DOCS / "signing.md", "js")
        + f"""
        const [secret, path, expires] = {json.dumps([SECRET, path, int(expires)])};
        console.log(JSON.stringify([sign(secret, path), sign(secret, path, expires)]));"""
    )
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(done.stdout) == [f"{path}?s={VECTORS[0][1]}", f"{path}?e={expires}&s={VECTORS[1][1]}"]


_JAVA = """
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

class Seal {
    %s
    public static void main(String[] told) throws Exception { System.out.print(sign(told[0], told[1])); }
}
"""
_GO = """
package main

import (
    "crypto/hmac"
    "crypto/sha256"
    "encoding/base64"
    "fmt"
    "os"
)

%s
func main() { fmt.Print(Sign(os.Args[1], os.Args[2])) }
"""


@pytest.mark.parametrize(
    ("language", "frame", "compiler", "command"),
    [("java", _JAVA, "javac", ["java", "Seal.java"]), ("go", _GO, "go", ["go", "run", "Seal.go"])],
)
def test_a_compiled_recipe_makes_the_published_seals(
    language: str, frame: str, compiler: str, command: list[str], tmp_path: Path
) -> None:
    require(compiler)
    (tmp_path / command[-1]).write_text(frame % code(DOCS / "signing.md", language))
    done = subprocess.run(
        [*command, SECRET, VECTORS[2][0]], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == f"{VECTORS[2][0]}?s={VECTORS[2][1]}"


def test_every_link_of_a_page_leads_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md", *DOCS.glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_path_that_contributing_names_exists() -> None:
    paths = re.findall(r"`((?:proxy|catalog|tests|docs)/[\w/.-]+)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_no_other_distribution_owns_our_import_names() -> None:
    """`proxy` and `catalog` are generic names: another distribution that installs one would win or lose by chance."""
    owners = packages_distributions()
    assert set(owners.get("proxy", ["darkroom-images"])) == {"darkroom-images"}
    assert set(owners.get("catalog", ["darkroom-images"])) == {"darkroom-images"}


def test_the_search_page_has_every_field_order_and_facet() -> None:
    page = (DOCS / "search.md").read_text()
    told = {ticked(row[0])[0]: row for row in rows("search.md") if re.fullmatch(r"`[a-z]+`", row[0])}
    assert set(told) == {rule.name for rule in RULES}
    for rule in RULES:
        assert told[rule.name][1] == (", ".join(f"`{word}`" for word in rule.words) or rule.kind.value)
    for names in (ORDERS, FACETS):
        assert ", ".join(f"`{name}`" for name in names) in page

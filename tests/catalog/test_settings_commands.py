"""`darkroom tenant rules` and `tenant delete`, and the trail that commands leave."""

import json
import sqlite3

from tests.catalog.test_command import Shell, acme, darkroom

__all__ = ["acme", "darkroom"]


def events(shell: Shell) -> list[tuple[str, str]]:
    """Return actor and action of all audit events, the oldest first, without those of the tenant's creation."""
    with sqlite3.connect(shell.folder / "home" / "darkroom.db") as connection:
        rows = connection.execute("SELECT actor, action FROM audit_event ORDER BY id").fetchall()
    return rows[2:]


def test_the_rules_are_shown_changed_and_shown(acme: Shell) -> None:
    shown = json.loads(acme("tenant", "rules", "show", "acme").stdout)
    assert (shown["hints"], shown["uploads"]["default"]["max_bytes"]) == (False, 50 * 2**20)
    shown["hints"], shown["cors_origins"] = True, ["https://shop.example.com"]
    shown["uploads"]["by_entity_type"]["logo"] = {"max_bytes": 1_000, "formats": ["png"]}
    file = acme.folder / "acme.json"
    file.write_text(json.dumps(shown))
    changed = json.loads(acme("tenant", "rules", "set", "acme", file).stdout)
    assert changed == json.loads(acme("tenant", "rules", "show", "acme").stdout)
    assert changed["uploads"]["by_entity_type"]["logo"]["formats"] == ["png"]
    acme("tenant", "set", "acme", "--linear", "--limit", "output_side=2048")
    again = json.loads(acme("tenant", "rules", "show", "acme").stdout)
    assert (again["rendering"]["linear"], again["limits"]["output_side"], again["hints"]) == (True, 2_048, True)
    assert [action for _, action in events(acme)] == ["settings.updated", "settings.updated"]


def test_wrong_rules_are_told_and_change_nothing(acme: Shell) -> None:
    file = acme.folder / "acme.json"
    for document, code, message in (
        ('{"hintz": true, "limits": {"output_side": "5"}}', 1, "/hintz: This field does not exist"),
        ('{"eager_presets": ["nowhere"]}', 1, "There is no preset nowhere"),
        ("{", 2, "not JSON"),
        ("[" * 100_000, 2, "not JSON"),
    ):
        file.write_text(document)
        assert message in acme("tenant", "rules", "set", "acme", file, code=code).stderr
    assert "cannot read" in acme("tenant", "rules", "set", "acme", "missing.json", code=2).stderr
    assert "no tenant zoo" in acme("tenant", "rules", "show", "zoo", code=1).stderr
    assert events(acme) == []


def test_every_command_that_changes_leaves_an_event(acme: Shell) -> None:
    for words in (
        "preset put acme hero w100-auto",
        "preset put acme hero w200-auto",
        "preset delete acme hero",
        "source add acme https://img.example.com --credential authorization=topsecret",
        "source delete acme https://img.example.com",
        "key add acme",
        "key retire acme 1",
        "tenant purge acme",
    ):
        acme(*words.split())
    trail = events(acme)
    assert [action for _, action in trail] == [
        "preset.created",
        "preset.updated",
        "preset.deleted",
        "source.created",
        "source.deleted",
        "key.created",
        "key.retired",
        "tenant.purged",
    ]
    assert all(actor.startswith("cli:") for actor, _ in trail)
    assert b"topsecret" not in (acme.folder / "home" / "darkroom.db").read_bytes()


def test_an_empty_tenant_is_deleted(acme: Shell) -> None:
    assert acme("tenant", "delete", "acme").stdout == "Deleted tenant acme.\n"
    assert "no tenant acme" in acme("tenant", "delete", "acme", code=1).stderr
    assert "acme" not in acme("tenant", "list").stdout
    acme("tenant", "create", "acme")

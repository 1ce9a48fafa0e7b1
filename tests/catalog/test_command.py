"""The `darkroom` command as a process, in a home folder of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pyvips
import typer

from catalog.cli import serve
from catalog.cli.exit_codes import Exit
from catalog.maintenance import extras
from proxy.settings import Settings
from tests.pictures import counting
from tests.program.server import SECRET_KEY
from tests.warm import warm

DARKROOM = Path(sys.executable).with_name("darkroom")
SECRET = "correct-horse-battery-staple"
DIGEST = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
PATH = f"/t/acme/{DIGEST}/w320-h180-webp"
SEAL = "OeCAFYkyrny7KpySP1JiPLb_guz-lQ4lj32Sx93vxRs"
DEADLINE_S = 60


class Shell:
    """Runs the command with settings of its own, nothing of ours in its environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"DARKROOM_HOME": str(folder / "home"), "DARKROOM_BASE_URL": "https://img.example"}

    def __call__(
        self, *words: str | Path, code: int = Exit.FINE, **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run it, and check that it ends with this exit code and without a traceback."""
        done = warm().run([*map(str, words)], {**self.environment, **settings}, self.folder)
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def apart(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run it as it is installed, from a cold start and beside others."""
        return subprocess.run(
            [DARKROOM, *words],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def objects(self, *words: str | Path, code: int = Exit.FINE, **settings: str) -> list[dict[str, object]]:
        """Run it with `--json` and return the objects it prints, one per line."""
        return [json.loads(line) for line in self(*words, "--json", code=code, **settings).stdout.splitlines()]


@pytest.fixture
def darkroom(tmp_path: Path) -> Shell:
    """Return the command, in an empty folder."""
    return Shell(tmp_path)


@pytest.fixture
def acme(darkroom: Shell) -> Shell:
    """Return the command, with a tenant whose secret is known."""
    darkroom("tenant", "create", "acme", "--secret", SECRET)
    return darkroom


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Return a photo with EXIF orientation 6."""
    image = pyvips.Image.black(64, 48, bands=3).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    path = tmp_path / "a photo.jpg"
    path.write_bytes(image.jpegsave_buffer())
    return path


COMMANDS = [
    [],
    ["serve"],
    ["upload"],
    ["sign"],
    ["focus"],
    ["migrate"],
    ["doctor"],
    ["demo"],
    ["secrets", "key"],
    ["secrets", "rotate"],
    ["tenant"],
    ["tenant", "create"],
    ["tenant", "list"],
    ["tenant", "show"],
    ["key"],
    ["key", "add"],
    ["key", "list"],
    ["key", "retire"],
    ["token"],
    ["token", "create"],
    ["token", "list"],
    ["token", "revoke"],
]


def test_every_command_has_help_with_an_example_and_its_exit_codes(darkroom: Shell) -> None:
    helps = [darkroom(*words, "--help").stdout for words in COMMANDS]
    for words, text in zip(COMMANDS, helps, strict=True):
        groups = {(), ("tenant",), ("key",), ("token",)}
        assert ("Example: darkroom " + " ".join(words) in text) == (tuple(words) not in groups), words
        assert "Exit codes: 0 success" in text or words in (["tenant"], ["key"], ["token"]), words


def test_help_imports_nothing_that_is_slow() -> None:
    """Starting stays quick: the database, S3, libvips and the web framework are for the commands that use them."""
    code = "import sys, catalog.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    slow = {
        "sqlalchemy",
        "sqlmodel",
        "alembic",
        "pydantic",
        "aioboto3",
        "pyvips",
        "starlette",
        "uvicorn",
        "redis",
        "cryptography",
    }
    assert slow & set(done.stdout.split()) == set()


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["tenant", "create"],
        ["tenant", "create", "Bad Name"],
        ["upload", "x.jpg"],
        ["upload", "x.jpg", "--tenant", "-"],
        ["sign", PATH, "--expires", "tomorrow"],
        ["sign", PATH, "--expires", "1000000000"],
        ["key", "retire", "acme", "one"],
        ["key", "retire", "acme", "0"],
        ["serve", "--port", "65536"],
        ["token", "create", "--tenant", "acme"],
        ["token", "create", "--tenant", "acme", "--role", "root"],
        ["token", "create", "--tenant", "acme", "--role", "ADMIN"],
        ["token", "create", "--tenant", "A", "--role", "admin"],
        ["token", "create", "--tenant", "acme", "--role", "admin", "--expires", "tomorrow"],
        ["token", "create", "--tenant", "acme", "--role", "admin", "--expires", "0d"],
        ["token", "create", "--tenant", "acme", "--role", "admin", "--expires", "999999999d"],
        ["token", "create", "--tenant", "acme", "--role", "admin", "--scope", "fly"],
        ["token", "create", "--tenant", "acme", "--role", "admin", "--name", "n" * 129],
        ["token", "create", "--tenant", "acme", "--role", "admin", "--name", "a\tb"],
    ],
)
def test_wrong_usage_is_exit_code_2_and_a_sentence(darkroom: Shell, words: list[str]) -> None:
    assert "Error: " in darkroom(*words, code=Exit.USAGE).stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DARKROOM_PORT", "many"),
        ("DARKROOM_DATABASE_URL", "mysql://x"),
        ("DARKROOM_STORE_URL", "ftp://x"),
        ("DARKROOM_BASE_URL", "pictures.example"),
        ("DARKROOM_BASE_URL", "https://pictures example/"),
        ("DARKROOM_FORMATS", "svg,psd"),
    ],
)
def test_a_wrong_setting_is_exit_code_2_and_named(acme: Shell, photo: Path, name: str, value: str) -> None:
    done = acme("upload", photo, "--tenant", "acme", code=Exit.USAGE, **{name: value})
    assert name in done.stderr


def test_a_database_that_is_out_is_exit_code_3(darkroom: Shell) -> None:
    done = darkroom(
        "tenant",
        "list",
        code=Exit.UNAVAILABLE,
        DARKROOM_DATABASE_URL="postgresql+asyncpg://x@127.0.0.1:1/x",
        DARKROOM_SECRET_KEYS=SECRET_KEY,
    )
    assert "The database does not answer." in done.stderr


def test_a_postgresql_asks_to_be_migrated_and_then_works(darkroom: Shell, database_url: str) -> None:
    darkroom.environment["DARKROOM_DATABASE_URL"] = database_url
    assert "darkroom secrets key" in darkroom("tenant", "list", code=Exit.USAGE).stderr
    darkroom.environment["DARKROOM_SECRET_KEYS"] = str(darkroom.objects("secrets", "key")[0]["key"])
    assert "run darkroom migrate" in darkroom("tenant", "list", code=Exit.UNAVAILABLE).stderr
    assert "from empty to revision" in darkroom("migrate").stdout
    assert "already" in darkroom("migrate").stdout
    darkroom("tenant", "create", "acme")
    assert darkroom("tenant", "list").stdout.startswith("acme ")


def test_the_version_is_told(darkroom: Shell) -> None:
    assert re.fullmatch(r"darkroom \d+\.\d+\.\d+\n", darkroom("--version").stdout)


def test_a_list_of_formats_may_have_spaces(darkroom: Shell) -> None:
    assert "avif, svg, tiff;" in darkroom("doctor", DARKROOM_FORMATS="svg, tiff").stdout


def test_a_tenant_is_created_with_a_secret_of_its_own(darkroom: Shell) -> None:
    [made] = darkroom.objects("tenant", "create", "acme")
    assert set(made) == {"tenant", "secret"}
    assert made["tenant"] == "acme"
    assert darkroom("tenant", "create", "other").stdout.splitlines()[-1] != made["secret"]


def test_a_tenant_is_created_with_a_secret_that_was_given(darkroom: Shell) -> None:
    assert darkroom.objects("tenant", "create", "acme", "--secret", SECRET) == [{"tenant": "acme", "secret": SECRET}]


def test_a_tenant_is_created_once(acme: Shell) -> None:
    assert "Tenant acme already exists" in acme("tenant", "create", "acme", code=Exit.REFUSED).stderr


def test_processes_that_begin_an_installation_at_once_all_succeed(darkroom: Shell) -> None:
    """Each of them finds no database and makes it."""
    with ThreadPoolExecutor(4) as threads:
        ends = list(threads.map(lambda number: darkroom.apart("tenant", "create", f"t{number}"), range(4)))
    assert [process.returncode for process in ends] == [Exit.FINE] * 4, ends
    assert [tenant["tenant"] for tenant in darkroom.objects("tenant", "list")] == ["t0", "t1", "t2", "t3"]


def test_tenants_are_shown(acme: Shell) -> None:
    [acme_tenant] = acme.objects("tenant", "show", "acme")
    assert {name: acme_tenant[name] for name in ("tenant", "keys", "originals")} == {
        "tenant": "acme",
        "keys": 1,
        "originals": 0,
    }
    assert acme.objects("tenant", "list") == [acme_tenant]
    assert "There is no tenant nobody" in acme("tenant", "show", "nobody", code=Exit.REFUSED).stderr


def test_keys_are_rotated(acme: Shell) -> None:
    """The new key signs, the old one is retired, the last one stays; no list contains a secret."""
    [added] = acme.objects("key", "add", "acme", "--secret", "a-second-secret-of-acme")
    assert set(added) == {"tenant", "id", "secret"}
    listed = acme("key", "list", "acme").stdout
    assert re.findall(r"\b(signs|verifies|retired)\b", listed) == ["signs", "verifies"]
    [signing, verifying] = acme.objects("key", "list", "acme")
    assert (signing["id"], signing["state"], verifying["state"]) == (added["id"], "signs", "verifies")
    assert set(signing) == {"id", "fingerprint", "state", "created"}
    assert SECRET not in listed
    assert SEAL not in acme("sign", PATH).stdout
    acme("key", "retire", "acme", str(verifying["id"]))
    assert [key["state"] for key in acme.objects("key", "list", "acme")] == ["signs", "retired"]
    assert "the last one" in acme("key", "retire", "acme", str(signing["id"]), code=Exit.REFUSED).stderr


def test_a_token_is_created_listed_without_its_secret_and_revoked(acme: Shell) -> None:
    [token] = acme.objects("token", "create", "--tenant", "acme", "--role", "viewer", "--name", "shop")
    assert set(token) == {"id", "token"}
    assert str(token["token"]).startswith(f"drk_{token['id']}_")
    words = ("--role", "contributor", "--expires", "90d", "--scope", "upload", "--scope", "read")
    text = acme("token", "create", "--tenant", "acme", *words).stdout.splitlines()[-1]
    assert re.fullmatch(r"drk_\w{12}_\w{38}", text)
    [narrow, first] = acme.objects("token", "list", "--tenant", "acme")
    assert (narrow["role"], narrow["scopes"], first["role"], first["name"]) == (
        "contributor",
        ["read", "upload"],
        "viewer",
        "shop",
    )
    life = datetime.fromisoformat(str(narrow["expires_at"])) - datetime.fromisoformat(str(narrow["created_at"]))
    assert timedelta(days=89) < life <= timedelta(days=90)
    assert (first["expires_at"], first["revoked_at"]) == (None, None)
    assert str(first["created_by"]).startswith("cli:")
    listed = acme("token", "list", "--tenant", "acme").stdout
    assert str(token["id"]) in listed
    assert str(token["token"]) not in listed
    assert acme.objects("token", "revoke", "--tenant", "acme", str(token["id"])) == [
        {"id": token["id"], "state": "revoked"}
    ]
    assert acme.objects("token", "list", "--tenant", "acme")[1]["revoked_at"] is not None
    assert "revoked" in acme("token", "list", "--tenant", "acme").stdout


def test_tokens_of_unknown_and_of_other_tenants_do_not_exist(acme: Shell) -> None:
    [token] = acme.objects("token", "create", "--tenant", "acme", "--role", "admin")
    acme("tenant", "create", "zoo")
    done = acme("token", "revoke", "--tenant", "zoo", str(token["id"]), code=Exit.REFUSED)
    assert "There is no such token" in done.stderr
    assert acme.objects("token", "list", "--tenant", "zoo") == []
    for words in (["create", "--role", "admin"], ["list"], ["revoke", str(token["id"])]):
        done = acme("token", *words, "--tenant", "nobody", "--json", code=Exit.REFUSED)
        assert json.loads(done.stderr)["code"] == "tenant-missing"


def test_a_path_is_sealed(acme: Shell) -> None:
    url = f"https://img.example{PATH}?s={SEAL}"
    assert acme("sign", PATH).stdout == url + "\n"
    assert acme.objects("sign", PATH) == [{"url": url}]


def test_a_path_is_sealed_for_a_while(acme: Shell) -> None:
    before = int(time.time())
    url = str(acme.objects("sign", PATH, "--expires", "1h")[0]["url"])
    match = re.fullmatch(rf"https://img\.example{PATH}\?e=(\d+)&s=[\w-]{{43}}", url)
    assert match is not None
    assert before + 3600 <= int(match[1]) <= int(time.time()) + 3600
    sealed = acme("sign", PATH, "--expires", "4102444800").stdout
    assert "?e=4102444800&s=" in sealed


def test_a_recipe_that_is_wrong_is_underlined_and_the_right_spelling_said(acme: Shell) -> None:
    done = acme("sign", f"/t/acme/{DIGEST}/h180-w320-webp", code=Exit.REFUSED)
    assert done.stdout == ""
    assert re.search(r"^    h180-w320-webp\n    \^+$", done.stderr, re.MULTILINE)
    assert "right: w320-h180-webp" in done.stderr


def test_an_upload_is_an_original_with_a_url(acme: Shell, photo: Path) -> None:
    digest = sha256(photo.read_bytes()).hexdigest()
    [uploaded] = acme.objects("upload", photo, "--tenant", "acme")
    url, image = str(uploaded.pop("url")), str(uploaded.pop("image"))
    assert uploaded == {
        "file": str(photo),
        "original": digest,
        "bytes": photo.stat().st_size,
        "media_type": "image/jpeg",
        "width": 48,
        "height": 64,
    }
    assert acme("sign", urlsplit(url).path).stdout == url + "\n"
    printed = acme("upload", photo, "--tenant", "acme").stdout
    assert digest in printed
    assert url in printed
    assert acme.objects("tenant", "show", "acme")[0]["originals"] == 1
    assert acme.objects("upload", photo, "--tenant", "acme")[0]["image"] == image


def test_a_bad_file_does_not_stop_the_others(acme: Shell, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "half.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    files: list[str | Path] = ["notes.txt", photo, "missing.jpg", ".", "empty.jpg", "half.png", photo]
    done = acme("upload", *files, "--tenant", "acme", code=Exit.REFUSED)
    assert done.stdout.count("image/jpeg") == 2
    refused = ("notes.txt", "missing.jpg", ".", "empty.jpg", "half.png")
    for file in refused:
        assert re.search(rf"^{re.escape(file)}: .", done.stderr, re.MULTILINE), done.stderr
    done = acme("upload", *files, "--tenant", "acme", "--json", code=Exit.REFUSED)
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == [str(photo)] * 2
    errors = [json.loads(line) for line in done.stderr.splitlines()]
    assert [error["file"] for error in errors] == list(refused)
    assert {error["code"] for error in errors} == {"upload-refused", "failed", "damaged"}
    assert "jpeg" in errors[0]["detail"]
    assert errors[0]["advice"].startswith("Convert")


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["tenant", "show", "nobody"], Exit.REFUSED, {"code": "tenant-missing", "title": "No such tenant"}),
        (["tenant", "create", "Bad Name"], Exit.USAGE, {"code": "usage", "title": "Wrong usage"}),
        (["tenant", "show"], Exit.USAGE, {"code": "usage"}),
        (["tenant", "list", "--nonsense"], Exit.USAGE, {"code": "usage"}),
        (
            ["sign", f"/t/acme/{DIGEST}/h180-w320-webp"],
            Exit.REFUSED,
            {"code": "recipe", "at": 0, "right": "w320-h180-webp", "fault": "h180-w320-webp\n^^^^"},
        ),
    ],
)
def test_an_error_is_one_object_on_standard_error_with_json(
    darkroom: Shell, words: list[str], code: int, error: dict[str, object]
) -> None:
    done = darkroom(*words, "--json", code=code)
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    printed = json.loads(line)
    assert printed["detail"]
    assert {name: printed[name] for name in error} == error


def test_an_unavailable_backend_is_an_object_with_its_cause(darkroom: Shell) -> None:
    settings = {"DARKROOM_DATABASE_URL": "postgresql+asyncpg://x@127.0.0.1:1/x", "DARKROOM_SECRET_KEYS": SECRET_KEY}
    done = darkroom("tenant", "list", "--json", code=Exit.UNAVAILABLE, **settings)
    printed = json.loads(done.stderr)
    assert (printed["code"], bool(printed["cause"])) == ("unavailable", True)
    done = darkroom("tenant", "list", "--json", code=Exit.USAGE, DARKROOM_PORT="many")
    assert "DARKROOM_PORT" in json.loads(done.stderr)["detail"]
    done = darkroom("doctor", code=Exit.REFUSED, DARKROOM_STORE_URL="ftp://x")
    assert "DARKROOM_STORE_URL" in done.stdout


@pytest.mark.parametrize("form", ["env:ACME_SECRET", "file:acme.secret"])
def test_a_secret_is_read_from_elsewhere(darkroom: Shell, form: str) -> None:
    """So that it is neither in the process list nor in the shell's history."""
    (darkroom.folder / "acme.secret").write_text(SECRET + "\n")
    created = darkroom.objects("tenant", "create", "acme", "--secret", form, ACME_SECRET=SECRET)
    assert created == [{"tenant": "acme", "secret": SECRET}]
    missing = darkroom("key", "add", "acme", "--secret", form + "_", code=Exit.USAGE)
    assert "Error: " in missing.stderr
    assert [key["state"] for key in darkroom.objects("key", "list", "acme")] == ["signs"]


def test_a_secret_is_read_from_standard_input(darkroom: Shell) -> None:
    command = [str(DARKROOM), "tenant", "create", "acme", "--secret", "-", "--json"]
    done = subprocess.run(
        command, env=darkroom.environment, input=SECRET + "\n", capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["secret"] == SECRET


def test_stored_secrets_get_a_new_key(acme: Shell) -> None:
    """The old key stays behind the new one until the rotation, and is not needed after it."""
    file = acme.folder / "home" / "secret.keys"
    old, new = file.read_text().strip(), acme("secrets", "key").stdout.strip()
    assert acme.objects("secrets", "rotate", DARKROOM_SECRET_KEYS=f"{new},{old}") == [{"secrets": 1, "sources": 0}]
    assert SEAL in acme("sign", PATH, DARKROOM_SECRET_KEYS=new).stdout
    wrong = acme("sign", PATH, code=Exit.USAGE)
    assert "add that key to DARKROOM_SECRET_KEYS" in wrong.stderr
    assert "database" in acme("doctor", code=Exit.REFUSED).stdout
    assert "DARKROOM_SECRET_KEYS" in acme("serve", "--port", "0", code=Exit.USAGE).stderr


@pytest.mark.parametrize(
    ("limit", "most"),
    [
        ("source_bytes", 100),
        ("source_pixels", 500),
        ("source_side", 40),
        ("source_frames", 2),
        ("animation_pixels", 1_500),
    ],
)
def test_a_file_over_a_limit_is_told_the_limit_and_how_to_raise_it(
    acme: Shell, tmp_path: Path, limit: str, most: int
) -> None:
    """The installation's, then the tenant's own."""
    file = tmp_path / "film.gif"
    file.write_bytes(counting(3))
    if limit == "source_side":
        pyvips.Image.black(48, 2).write_to_file(str(file))
    upload = ("upload", file, "--tenant", "acme")
    setting = f"DARKROOM_{limit.upper()}"
    message = acme(*upload, code=Exit.REFUSED, **{setting: str(most)}).stderr
    assert str(most) in message
    assert f"Make it smaller, or raise {setting}.\n" in message
    acme("tenant", "set", "acme", "--limit", f"{limit}={most}")
    message = acme(*upload, code=Exit.REFUSED).stderr
    assert f"or raise the tenant's own limit: darkroom tenant set acme --limit {limit}=…\n" in message
    assert "DARKROOM" not in message


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_an_upload_ends_quietly_where_nobody_reads_on(acme: Shell, photo: Path, words: list[str]) -> None:
    """As with `| head -1`; each file is another image, because the first is stored before the output is closed."""
    files = [photo.with_name(f"{number}.png") for number in range(9)]
    for number, file in enumerate(files):
        pyvips.Image.black(8, 8 + number).write_to_file(str(file))
    command = [DARKROOM, "upload", *files, "--tenant", "acme", *words]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=acme.environment, text=True, **piped) as running:  # type: ignore[call-overload]
        assert running.stdout.readline()
        running.stdout.close()
        assert (running.wait(DEADLINE_S), running.stderr.read()) == (Exit.OUTPUT_CLOSED, "")
    assert int(str(acme.objects("tenant", "show", "acme")[0]["originals"])) < len(files)


def test_a_command_ends_quietly_where_nobody_reads(acme: Shell, photo: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    commands: list[list[str | Path]] = [
        ["preset", "list", "acme"],
        ["sign", PATH, "--json"],
        ["upload", photo, "--tenant", "acme"],
        ["--version"],
    ]
    try:
        for words in commands:
            done = subprocess.run(
                [DARKROOM, *words],
                env=acme.environment,
                stdout=writing,
                stderr=subprocess.PIPE,
                timeout=DEADLINE_S,
                check=False,
            )
            assert (done.returncode, done.stderr) == (Exit.OUTPUT_CLOSED, b""), words
        command = [str(DARKROOM), "tenant", "show", "nobody"]
        refused = subprocess.run(command, env=acme.environment, stdout=writing, stderr=writing, check=False)
        assert refused.returncode == Exit.OUTPUT_CLOSED
        helped = subprocess.run([DARKROOM, "--help"], stdout=writing, stderr=subprocess.PIPE, check=False)
        assert helped.stderr == b""
    finally:
        os.close(writing)


def test_an_upload_for_nobody_is_refused(darkroom: Shell, photo: Path) -> None:
    assert "tenant create nobody" in darkroom("upload", photo, "--tenant", "nobody", code=Exit.REFUSED).stderr


def test_a_doctor_finds_a_new_installation_in_order(darkroom: Shell) -> None:
    findings = darkroom.objects("doctor")
    assert [finding["check"] for finding in findings] == [
        "settings",
        "clock",
        "libvips",
        "extras",
        "sandbox",
        "store",
        "cache",
        "database",
        "isolation",
        "scanner",
    ]
    assert {finding["state"] for finding in findings} <= {"ok", "warn"}
    assert "8." in str(findings[2]["message"])


def test_a_doctor_says_what_is_wrong_and_what_to_do(darkroom: Shell) -> None:
    done = darkroom(
        "doctor",
        code=Exit.REFUSED,
        DARKROOM_REDIS_URL="redis://127.0.0.1:1",
        DARKROOM_DATABASE_URL="postgresql+asyncpg://x@127.0.0.1:1/x",
        DARKROOM_SECRET_KEYS=SECRET_KEY,
        DARKROOM_STORE_URL="s3://bucket/prefix",
        DARKROOM_S3_ENDPOINT_URL="http://127.0.0.1:1",
        DARKROOM_S3_ACCESS_KEY_ID="key",
        DARKROOM_S3_SECRET_ACCESS_KEY="a-secret-nobody-sees",
        DARKROOM_HOEM="/typo",
    )
    lines = (line.split() for line in done.stdout.splitlines() if not line.startswith(" "))
    states = {words[1]: words[0] for words in lines}
    assert {name: states[name] for name in ("settings", "store", "cache", "database")} == {
        "settings": "warn",
        "store": "fail",
        "cache": "fail",
        "database": "fail",
    }
    assert "DARKROOM_HOEM" in done.stdout
    assert done.stdout.count("→") >= 4
    assert "a-secret-nobody-sees" not in done.stdout


@pytest.fixture
def server(acme: Shell) -> Iterator["subprocess.Popen[str]"]:
    """Run `darkroom serve` on a port that the kernel chooses."""
    process = subprocess.Popen(
        [DARKROOM, "serve", "--port", "0"],
        env={**os.environ, **acme.environment},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.kill()
    process.wait()
    assert process.stderr is not None
    process.stderr.close()


def _address(server: "subprocess.Popen[str]") -> str:
    """Wait for the line that tells where it listens; the test's own deadline ends a server that never does."""
    assert server.stderr is not None
    for line in server.stderr:
        if match := re.search(r"listening on (http://[0-9.]+:[0-9]+)", line):
            return match[1]
    raise AssertionError("it ended before it listened")


def test_a_server_says_where_it_listens_serves_what_was_uploaded_and_stops_as_told(
    acme: Shell, photo: Path, server: "subprocess.Popen[str]"
) -> None:
    address = _address(server)
    [uploaded] = acme.objects("upload", photo, "--tenant", "acme")
    url = str(uploaded["url"]).replace("https://img.example", address)
    with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
        assert (answer.status, answer.headers["content-type"]) == (200, "image/webp")
        assert answer.headers["server"] is None
        assert answer.headers["date"] is not None
    server.send_signal(signal.SIGTERM)
    assert server.wait(DEADLINE_S) == 0


def test_a_port_that_is_taken_is_told_in_a_sentence(acme: Shell, server: "subprocess.Popen[str]") -> None:
    port = _address(server).rpartition(":")[2]
    assert "--port" in acme("serve", "--port", port, code=Exit.REFUSED).stderr


def test_a_server_without_its_database_refuses_to_start(darkroom: Shell, database_url: str) -> None:
    done = darkroom(
        "serve",
        "--port",
        "0",
        code=Exit.UNAVAILABLE,
        DARKROOM_DATABASE_URL=database_url,
        DARKROOM_SECRET_KEYS=SECRET_KEY,
    )
    assert "run darkroom migrate" in done.stderr


def test_serve_says_what_is_turned_on_and_not_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, where a library can be taken away: a sentence and the exit code of a wrong setting."""
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(typer.Exit) as ended:
        serve._check_extras(Settings(formats="svg,heic"))
    assert ended.value.exit_code == Exit.USAGE
    assert "heic: pip install '.[heic]'" in capsys.readouterr().err

"""The project's files: the same each time, in a folder that is ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.entry.cloudflare import project
from penstock.entry.cloudflare.choices import Choices
from penstock.entry.cloudflare.judge import judge
from penstock.entry.cloudflare.sources import packaged
from penstock.entry.known import known_models
from penstock.entry.settings import today
from penstock.errors import Misconfigured

TEXT = '[providers.openai]\nkind = "openai"\napi_key = "${OPENAI_API_KEY}"\n'
SECRET = "sk-a-secret-that-is-set-here"


def made(choices: Choices | None = None, text: str = TEXT) -> dict[str, bytes]:
    env = {"OPENAI_API_KEY": SECRET, "AUTH_SERVICE_URL": "https://auth.example"}
    return project.files(choices or Choices(), judge(text, env, known_models(today())), packaged())


def config(files: dict[str, bytes], path: str = project.GATEWAY):
    return json.loads(re.sub(r"^//.*\n", "", files[path].decode()))


def stands(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_bindings_and_names():
    found = config(made())
    assert found["name"] == "penstock"
    assert found["kv_namespaces"][0]["binding"] == "KV"
    assert found["d1_databases"][0]["binding"] == "DB"
    assert found["r2_buckets"] == [{"binding": "BLOBS", "bucket_name": "penstock-blobs"}]
    assert found["vectorize"] == [{"binding": "VECTORIZE", "index_name": "document-vectors"}]
    assert found["ai"] == {"binding": "AI"}
    assert found["durable_objects"]["bindings"][0]["script_name"] == "penstock-meter"
    assert found["triggers"]["crons"] == ["* * * * *"]
    assert found["secrets"]["required"] == ["JWT_SECRET", "OPENAI_API_KEY"]
    assert found["vars"] == {"AUTH_SERVICE_URL": "https://auth.example"}
    assert not found["observability"]["logs"]["invocation_logs"]
    meter = config(made(), project.METER)
    assert (meter["name"], meter["workers_dev"]) == ("penstock-meter", False)
    assert meter["migrations"] == [{"tag": "v1", "new_sqlite_classes": ["PenstockMeter"]}]


def test_without_a_model_that_embeds_documents_it_is_bound_to_no_index():
    assert "vectorize" not in config(made(text='[providers.sandbox]\nkind = "sandbox"\n'))


def test_where_backends_are_probed_the_meter_and_the_gateway_know_each_other():
    files = made(Choices(environment="staging"))
    meter = config(files, project.METER)
    assert meter["services"] == [{"binding": "GATEWAY", "service": "penstock-staging"}]
    first = config(files, project.METER_FIRST)
    assert first == {name: value for name, value in meter.items() if name != "services"}


def test_where_none_are_the_meter_is_bound_to_nothing():
    text = TEXT + '[services.auth]\nbackends = [{ url = "https://a.example", health = "" }]\n'
    files = made(text=text)
    assert "services" not in config(files, project.METER)
    assert project.METER_FIRST not in files


def test_an_environment_ends_its_names_with_it():
    found = config(made(Choices(environment="staging")))
    assert found["name"] == "penstock-staging"
    assert found["d1_databases"][0]["database_name"] == "penstock-staging"
    assert found["vectorize"][0]["index_name"] == "document-vectors-staging"


def test_a_first_design_worker_is_replaced_in_place():
    choices = Choices(
        name="my-saas-chat-gateway", d1_name="my-saas-chat-db", d1_id="uuid", kv_id="k"
    )
    found = config(made(choices))
    assert found["name"] == "my-saas-chat-gateway"
    assert found["kv_namespaces"][0]["id"] == "k"
    database = found["d1_databases"][0]
    assert (database["database_name"], database["database_id"]) == ("my-saas-chat-db", "uuid")


def test_the_dashboards_files_go_along_and_are_served_by_the_worker_alone():
    package = packaged() | {
        "penstock/dashboard/index.html": ("", b"<!doctype html>"),
        "penstock/dashboard/assets/app-1.js": ("", b"1"),
    }
    files = project.files(
        Choices(), judge(TEXT, {"OPENAI_API_KEY": SECRET}, known_models(today())), package
    )
    pages = {path: text for path, text in files.items() if path.startswith("assets/")}
    assert pages["assets/index.html"] == b"<!doctype html>"
    assert pages["assets/assets/app-1.js"] == b"1"
    assert not [path for path in files if path.startswith("src/penstock/dashboard")]
    found = config(files)["assets"]
    assert (found["binding"], found["directory"]) == ("ASSETS", "assets")
    assert (found["run_worker_first"], found["html_handling"]) == (True, "none")


def test_without_them_the_worker_has_no_assets():
    bare = {path: one for path, one in packaged().items() if "/dashboard/" not in path}
    files = project.files(
        Choices(), judge(TEXT, {"OPENAI_API_KEY": SECRET}, known_models(today())), bare
    )
    assert "assets" not in config(files)


def test_no_secret_is_in_any_file():
    assert [path for path, text in made().items() if SECRET.encode() in text] == []
    assert (
        json.loads(made()["src/config.json"])["providers"]["openai"]["api_key"]
        == "${OPENAI_API_KEY}"
    )


def test_written_again_it_is_the_same(tmp_path):
    project.write(tmp_path / "out", made())
    first = stands(tmp_path / "out")
    project.write(tmp_path / "out", made())
    assert stands(tmp_path / "out") == first == made()


def test_what_an_older_version_wrote_goes(tmp_path):
    folder = tmp_path / "out"
    project.write(folder, made())
    (folder / "src/penstock/old").mkdir()
    (folder / "src/penstock/old/gone.py").touch()
    (folder / "python_modules").mkdir()
    (folder / "python_modules/kept.py").touch()
    project.write(folder, made())
    assert {*stands(folder)} == {*made(), "python_modules/kept.py"}
    assert not (folder / "src/penstock/old").exists()


def test_a_folder_that_holds_other_things_is_refused(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(Misconfigured, match="holds other things"):
        project.write(tmp_path, made())
    with pytest.raises(Misconfigured, match="holds other things"):
        project.read(tmp_path / "mine.txt")
    assert {*stands(tmp_path)} == {"mine.txt"}


def test_options_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / project.OPTIONS).write_text("{")
    with pytest.raises(Misconfigured, match="cannot be read"):
        project.read(tmp_path)


def test_the_entry_is_made_of_the_files_alone(tmp_path):
    project.write(tmp_path, made())
    code = (
        "import sys, unittest.mock as m\n"
        "sys.modules.update({n: m.MagicMock() for n in ('js', 'pyodide', 'pyodide.ffi', 'workers')})\n"
        "sys.modules['workers'].WorkerEntrypoint = object\n"
        f"sys.path.insert(0, {str(tmp_path / 'src')!r})\n"
        "import entry, penstock\n"
        f"assert penstock.__file__.startswith({str(tmp_path)!r})\n"
        "assert {'fetch', 'scheduled'} <= {*vars(entry.Default)}"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, timeout=60)


def test_a_package_without_an_entry_says_so():
    bare = {
        path: found for path, found in packaged().items() if found[0] != "penstock.entry.workers"
    }
    with pytest.raises(Misconfigured, match="no entry for Workers"):
        project.files(Choices(), judge("", {}, known_models(today())), bare)

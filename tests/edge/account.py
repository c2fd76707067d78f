"""An account at Cloudflare as far as deploying asks for one: the real wrangler speaks to it over HTTP."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from penstock import __version__

ROOT = "/accounts/acc"
DAY = "2026-11-27T00:00:00Z"
VERSION = "00000000-0000-0000-0000-{:012}"
WHOLE = "-whole"  # ends the token of assets that all came
UUID = "11111111-1111-1111-1111-{:012}"

Reply = tuple[int, Any]


class Account:
    """What stands in it. `healthy` is whether what is deployed answers."""

    def __init__(self) -> None:
        self.kv: list[dict[str, Any]] = []
        self.d1: list[dict[str, Any]] = []
        self.r2: list[str] = []
        self.vectorize: dict[str, Any] = {}
        self.metadata: dict[str, list[Any]] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.versions: dict[str, list[str]] = {}
        self.uploads: dict[str, bytes] = {}
        # What each Worker serves as static assets, by path; what has come of any, by its hash.
        self.assets: dict[str, dict[str, bytes]] = {}
        self.files: dict[str, bytes] = {}
        self.manifests: dict[str, dict[str, Any]] = {}
        self.unknown: list[str] = []
        self.headers: Message = Message()  # of the request that is answered
        self.healthy = True
        self._turn = threading.Lock()
        self._databases: dict[str, sqlite3.Connection] = {}

    def database(self, uuid: str) -> sqlite3.Connection:
        if uuid not in self._databases:
            made = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            made.row_factory = sqlite3.Row
            self._databases[uuid] = made
        return self._databases[uuid]

    def answer(self, method: str, url: str, body: bytes, headers: Message) -> Reply:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self._turn:
            self.headers = headers
            for pattern, handler in ROUTES.items():
                found = re.fullmatch(pattern, parts.path)
                if found:
                    reply: Reply = handler(self, method, query, body, *found.groups())
                    return reply
        self.unknown.append(f"{method} {parts.path}")
        return _wrong(7003, "no such route")


def _good(result: Any, **more: Any) -> Reply:
    return 200, {"success": True, "errors": [], "messages": [], "result": result, **more}


def _wrong(code: int, message: str) -> Reply:
    errors = [{"code": code, "message": message}]
    return 404, {"success": False, "errors": errors, "messages": [], "result": None}


def _user(account, method, query, body):
    return _good({"id": "u", "email": "me@example.com"})


def _token(account, method, query, body):
    return _good({"id": "t", "status": "active"})


def _accounts(account, method, query, body):
    one = {"id": "acc", "name": "Mine", "account": {"id": "acc", "name": "Mine"}}
    return _good([one], result_info={"page": 1, "per_page": 50, "count": 1, "total_count": 1})


def _kv(account, method, query, body):
    if method == "POST":
        title = json.loads(body)["title"]
        account.kv.append({"id": f"{len(account.kv):032x}", "title": title})
        return _good(account.kv[-1])
    return _good(account.kv if query.get("page", "1") == "1" else [])


def _d1(account, method, query, body):
    if method == "POST":
        made = {"uuid": UUID.format(len(account.d1)), "name": json.loads(body)["name"]}
        account.d1.append(made | {"version": "production", "created_at": DAY})
        return _good(account.d1[-1])
    return _good(
        account.d1, result_info={"page": 1, "per_page": 10, "total_count": len(account.d1)}
    )


def _query(account, method, query, body, uuid):
    """Statements as D1 answers them: rows by name; of a text of several, those of the last."""
    asked = json.loads(body)
    database = account.database(uuid)
    try:
        if asked.get("params"):
            rows = database.execute(asked["sql"], asked["params"]).fetchall()
        elif asked["sql"].strip().rstrip(";").count(";"):
            database.executescript(asked["sql"])
            rows = []
        else:
            rows = database.execute(asked["sql"]).fetchall()
    except sqlite3.Error as error:
        return _wrong(7500, str(error))
    answer = {"results": [dict(row) for row in rows], "success": True, "meta": {"duration": 0.1}}
    return _good([answer])


def _buckets(account, method, query, body):
    account.r2.append(json.loads(body)["name"])
    return _good({"name": account.r2[-1], "creation_date": DAY})


def _bucket(account, method, query, body, name):
    if name not in account.r2:
        return _wrong(10006, "The specified bucket does not exist.")
    return _good(
        {"name": name, "creation_date": DAY, "location": "WEUR", "storage_class": "Standard"}
    )


def _metrics(account, method, query, body):
    return 200, {"data": {"viewer": {"accounts": []}}, "errors": None}


def _indexes(account, method, query, body):
    if method == "POST":
        made = json.loads(body) | {"created_on": DAY, "modified_on": DAY}
        account.vectorize[made["name"]] = made
        return _good(made)
    return _good([*account.vectorize.values()])


def _metadata(account, method, query, body, name, verb):
    listed = account.metadata.setdefault(name, [])
    if verb == "create":
        listed.append(json.loads(body))
        return _good({"mutationId": "1"})
    return _good({"metadataIndexes": listed})


def _service(account, method, query, body, name):
    if name not in account.versions:
        return _wrong(10007, "This Worker does not exist on your account.")
    script = {"id": name, "etag": "e", "last_deployed_from": "wrangler", "modified_on": DAY}
    return _good(
        {"id": name, "default_environment": {"environment": "production", "script": script}}
    )


def _upload(account, method, query, body, name):
    for bound in re.findall(rb'"type":"service","service":"([^"]+)"', body):
        if bound.decode() not in account.versions:
            return _wrong(10143, f"Could not resolve service binding to {bound.decode()}.")
    if refused := _take_assets(account, name, body):
        return refused
    account.uploads[name] = body
    versions = account.versions.setdefault(name, [])
    versions.append(VERSION.format(len(versions) + 1))
    return _good({"id": name, "etag": "e", "startup_time_ms": 1, "deployment_id": versions[-1]})


def _session(account, method, query, body, name):
    """What of a manifest has not come yet, and a token: to send it by, or of the whole where nothing lacks."""
    jwt = f"session-{len(account.manifests)}"
    account.manifests[jwt] = json.loads(body)["manifest"]
    lacking = _lacking(account, jwt)
    if not lacking:
        return _good({"jwt": f"{jwt}{WHOLE}", "buckets": []})
    return _good({"jwt": jwt, "buckets": [lacking]})


def _files(account, method, query, body):
    jwt = account.headers.get("authorization", "").removeprefix("Bearer ")
    if jwt not in account.manifests or query.get("base64") != "true":
        return _wrong(10000, "Authentication error")
    kind = account.headers["content-type"].encode()
    sent: Any = message_from_bytes(b"content-type: " + kind + b"\r\n\r\n" + body)
    for part in sent.get_payload():
        key = part.get_param("name", header="content-disposition")
        account.files[key] = base64.b64decode(part.get_payload(decode=True), validate=True)
    if _lacking(account, jwt):
        return 202, _good({"jwt": None})[1]
    return 201, _good({"jwt": f"{jwt}{WHOLE}"})[1]


def _lacking(account, jwt):
    wanted = {one["hash"]: one["size"] for one in account.manifests[jwt].values()}
    return [key for key, size in wanted.items() if _length(account, key) != size]


def _length(account, key):
    return len(account.files[key]) if key in account.files else None


def _take_assets(account, name, body):
    """Those whose token a script's metadata names; why it is refused, where that is of no whole upload."""
    found = re.search(rb'"assets":\{"jwt":"([^"]+)"', body)
    if not found:
        return None
    jwt = found[1].decode()
    session = jwt.removesuffix(WHOLE)
    if session == jwt or session not in account.manifests or _lacking(account, session):
        return _wrong(10021, "The assets' completion token is not valid.")
    manifest = account.manifests[session]
    account.assets[name] = {at: account.files[one["hash"]] for at, one in manifest.items()}
    return None


def _worker(account, method, query, body, name):
    subdomain = {"enabled": True, "previews_enabled": False}
    return _good({"id": name, "name": name, "subdomain": subdomain, "tags": [], "references": {}})


def _script(account, method, query, body, name, rest):
    if rest == "subdomain":
        return _good({"enabled": True, "previews_enabled": False})
    if name not in account.versions:
        return _wrong(10007, "This Worker does not exist on your account.")
    answer = SCRIPTS.get((method, rest.partition("/")[0]))
    return answer(account, body, name, rest) if answer else _good({"bindings": [], "tags": []})


def _list_deployments(account, body, name, rest):
    made = [_deployment(at, one) for at, one in enumerate(account.versions[name])]
    return _good({"deployments": made[::-1]})


def _deploy(account, body, name, rest):
    account.versions[name].append(json.loads(body)["versions"][0]["version_id"])
    return _good({"id": "d"})


def _list_secrets(account, body, name, rest):
    put = account.secrets.get(name, {})
    return _good([{"name": one, "type": "secret_text"} for one in put])


def _put_secrets(account, body, name, rest):
    put = json.loads(body)["secrets"]
    account.secrets.setdefault(name, {}).update({one: put[one]["text"] for one in put})
    return _good([])


def _get_version(account, body, name, rest):
    return _good(_version(rest.rpartition("/")[2]))


def _new_version(account, body, name, rest):
    if refused := _take_assets(account, name, body):
        return refused
    account.uploads[name] = body
    return _good(_version(VERSION.format(len(account.versions[name]) + 1)))


SCRIPTS = {
    ("GET", "deployments"): _list_deployments,
    ("POST", "deployments"): _deploy,
    ("GET", "secrets"): _list_secrets,
    ("PATCH", "secrets-bulk"): _put_secrets,
    ("GET", "versions"): _get_version,
    ("POST", "versions"): _new_version,
}


def _deployment(at: int, version: str) -> dict[str, Any]:
    made = {"id": f"d{at}", "source": "wrangler", "strategy": "percentage", "annotations": {}}
    shares = [{"version_id": version, "percentage": 100}]
    return made | {
        "author_email": "me",
        "created_on": f"2026-11-27T00:00:{at:02}Z",
        "versions": shares,
    }


def _version(id: str) -> dict[str, Any]:
    told = {"created_on": DAY, "modified_on": DAY, "author_email": "me", "source": "wrangler"}
    script = {"etag": "e", "handlers": ["fetch"]}
    resources = {"bindings": [], "script": script, "script_runtime": {}}
    return {"id": id, "number": 1, "metadata": told, "annotations": {}, "resources": resources}


def _subdomain(account, method, query, body):
    return _good({"subdomain": "me"})


def _health(account, method, query, body):
    return 200, {"status": "healthy", "version": __version__}


def _ready(account, method, query, body):
    return (200, {}) if account.healthy else (503, {"title": "binding DB is missing"})


ROUTES: dict[str, Any] = {
    "/user": _user,
    "/user/tokens/verify": _token,
    "/accounts|/memberships": _accounts,
    f"{ROOT}/storage/kv/namespaces": _kv,
    f"{ROOT}/d1/database": _d1,
    f"{ROOT}/d1/database/([^/]+)/query": _query,
    f"{ROOT}/r2/buckets": _buckets,
    f"{ROOT}/r2/buckets/([^/]+)": _bucket,
    "/graphql": _metrics,
    f"{ROOT}/vectorize/v2/indexes": _indexes,
    f"{ROOT}/vectorize/v2/indexes/([^/]+)/metadata_index/(list|create)": _metadata,
    f"{ROOT}/workers/services/([^/]+)": _service,
    f"{ROOT}/workers/workers/([^/]+)": _worker,
    f"{ROOT}/workers/scripts/([^/]+)": _upload,
    f"{ROOT}/workers/scripts/([^/]+)/assets-upload-session": _session,
    f"{ROOT}/workers/assets/upload": _files,
    f"{ROOT}/workers/scripts/([^/]+)/(.+)": _script,
    f"{ROOT}/workers/subdomain": _subdomain,
    "/health": _health,
    "/readyz": _ready,
}


@contextmanager
def served(account: Account) -> Iterator[str]:
    """Its address; a loopback server that ends with the context."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing: what matters is asserted."""

        def do_GET(self) -> None:
            status, found = account.answer(self.command, self.path, self._body(), self.headers)
            text = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length") or 0))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""The OpenAPI document as one HTML page: no scripts, nothing from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from re import sub
from typing import Any

from penstock.gateway.openapi.style import STYLE
from penstock.wire.json import encode

Schema = dict[str, Any]
Tree = dict[str, Any]

_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
HEADERS = (
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)
SERVER = "http://127.0.0.1:8787"


def render(tree: Tree) -> str:
    """The page of a document as `openapi.tree` makes it."""
    info = tree["info"]
    about = "".join(f"<p>{_prose(part)}</p>" for part in info["description"].split("\n\n"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{STYLE}</style></head><body>"
        f'<header><h1>{escape(info["title"])} <span class="faint">{escape(info["version"])}</span></h1>{about}'
        '<p>The same for programs: <a href="/openapi.json">/openapi.json</a>.</p></header>'
        f"{_contents(tree)}<main>{''.join(_groups(tree))}</main></body></html>"
    )


def curl(method: str, path: str, operation: Tree) -> str:
    """A command line that runs against a server started by `make serve`."""
    for parameter in operation.get("parameters", ()):
        path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    needed = [
        one
        for one in operation.get("parameters", ())
        if one["in"] == "query" and one.get("required")
    ]
    query = "&".join([f"{one['name']}={one['example']}" for one in needed])
    words = ["curl", f"'{SERVER}{path}?{query}'" if query else f"{SERVER}{path}"]
    if method != ("post" if "requestBody" in operation else "get"):
        words[1:1] = ["-X", method.upper()]
    lines = [" ".join(words)]
    if operation["security"]:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if "requestBody" in operation:
        kind, content = next(iter(operation["requestBody"]["content"].items()))
        lines.append(f"-H 'Content-Type: {kind}'")
        lines.append(f"-d '{encode(content['example']).decode()}'")
    return " \\\n  ".join(lines)


def _operations(tree: Tree) -> Iterator[tuple[str, str, Tree]]:
    for path, methods in tree["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _contents(tree: Tree) -> str:
    items = [
        f'<li><a href="#{operation["operationId"]}">{_method(method)} <code>{escape(path)}</code></a></li>'
        for path, method, operation in _operations(tree)
    ]
    return f'<nav aria-label="Paths"><ul>{"".join(items)}</ul></nav>'


def _groups(tree: Tree) -> Iterator[str]:
    for tag in tree["tags"]:
        yield f'<h2>{escape(tag["name"])}</h2><p class="faint">{_prose(tag["description"])}</p>'
        for path, method, operation in _operations(tree):
            if tag["name"] in operation["tags"]:
                yield _section(path, method, operation, tree)


def _section(path: str, method: str, operation: Tree, tree: Tree) -> str:
    return (
        f'<section id="{operation["operationId"]}"><h3>{_method(method)} <code>{escape(path)}</code></h3>'
        f"<p><strong>{escape(operation['summary'])}.</strong> {_prose(operation['description'])}</p>"
        f'<p class="faint">{_needs(operation)}</p>'
        f"{_parameters(operation)}{_body(operation, tree)}"
        f"<h4>Example</h4><pre><code>{escape(curl(method, path, operation))}</code></pre>"
        f"{_replies(operation)}</section>"
    )


def _method(method: str) -> str:
    return f'<span class="method {method}">{method.upper()}</span>'


def _needs(operation: Tree) -> str:
    if not operation["security"]:
        return "Needs no credential."
    scopes = operation["security"][0]["bearer"]
    return "Needs a credential" + "".join(f" with the scope <code>{s}</code>" for s in scopes) + "."


def _parameters(operation: Tree) -> str:
    rows = [
        (_name(one["name"], one.get("required", False)), one["in"], _prose(one["description"]))
        for one in operation.get("parameters", ())
    ]
    return f"<h4>Parameters</h4>{_table(rows)}" if rows else ""


def _body(operation: Tree, tree: Tree) -> str:
    if "requestBody" not in operation:
        return ""
    kind, content = next(iter(operation["requestBody"]["content"].items()))
    schema = _resolved(content["schema"], tree)
    rows = []
    for part in (schema, *schema.get("anyOf", ())):
        required = part.get("required", []) if part is schema else []
        for name, field in part.get("properties", {}).items():
            if field != {"type": "null"}:
                told = _prose(field.get("description", ""))
                rows.append((_name(name, name in required), escape(_kind(field, tree)), told))
    bare = (
        "" if all(row[2] for row in rows) else " Fields without a word mean what they do at OpenAI."
    )
    legend = f'<p class="faint">* Required.{bare}</p>'
    return f"<h4>Body · {escape(kind)}</h4>{_table(rows)}{legend}"


def _replies(operation: Tree) -> str:
    rows = []
    for status, reply in operation["responses"].items():
        kinds = ", ".join(reply.get("content", ()))
        rows.append((f"<strong>{status}</strong>", escape(kinds), _prose(reply["description"])))
    good = next(iter(operation["responses"].values()))
    names = ", ".join(f"<code>{name}</code>" for name in good["headers"])
    return (
        f"<details><summary>Replies</summary>{_table(rows)}"
        f'<p class="faint">Headers of a good one: {names}.</p></details>'
    )


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = [
        f'<tr><th scope="row">{first}</th><td class="faint">{second}</td><td>{third}</td></tr>'
        for first, second, third in rows
    ]
    return f"<table>{''.join(lines)}</table>"


def _name(name: str, required: bool) -> str:
    return f"<code>{escape(name)}</code>{' *' if required else ''}"


def _kind(schema: Schema, tree: Tree) -> str:
    """A schema in a few words: `integer 1 to 8`, `list of Message`, `string or list of string`."""
    if "$ref" in schema:
        return str(_resolved(schema, tree).get("title", schema["$ref"].rpartition("/")[2]))
    if "anyOf" in schema:
        return " or ".join(_kind(one, tree) for one in schema["anyOf"] if one != {"type": "null"})
    if "enum" in schema:
        return " or ".join(str(one) for one in schema["enum"] if one is not None)
    kinds = schema.get("type", "anything")
    named = kinds if isinstance(kinds, str) else " or ".join(k for k in kinds if k != "null")
    if named == "array":
        return f"list of {_kind(schema.get('items', {}), tree)}"
    if "minimum" in schema and "maximum" in schema:
        return f"{named} {schema['minimum']:,} to {schema['maximum']:,}"
    return named


def _resolved(schema: Schema, tree: Tree) -> Schema:
    name = schema["$ref"].rpartition("/")[2]
    found: Schema = tree["components"]["schemas"][name]
    return found


def _prose(text: str) -> str:
    """Text with `code` in it."""
    return sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))

"""The rules of tests/test_tidy.py, each a function from source text to findings `line: what`."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator

FILE_LINES = 400
FUNCTION_LINES = 60
PORT_METHODS = 5


def words(text: str) -> frozenset[str]:
    """The words of a list that reads better on a few lines than on fifty."""
    return frozenset(text.split())


# Only these and the standard library may be imported by the core.
CORE_PACKAGES = frozenset({"penstock", "msgspec"})

# What of the standard library reaches the world, waits, draws lots or runs beside the event loop.
IMPURE_MODULES = words(
    "_thread concurrent.futures ctypes fcntl ftplib getpass glob http.client http.server importlib"
    " logging.handlers mmap multiprocessing os pathlib pickle platform queue random resource"
    " runpy secrets select selectors shelve shutil signal smtplib socket socketserver sqlite3 ssl"
    " subprocess tempfile threading time urllib.error urllib.request uuid webbrowser"
    " wsgiref xmlrpc"
)

# Calls that do the same without an import of their own.
IMPURE_CALLS = words(
    "__import__ breakpoint compile eval exec input open"
    " asyncio.create_subprocess_exec asyncio.create_subprocess_shell asyncio.open_connection"
    " asyncio.open_unix_connection asyncio.run asyncio.sleep asyncio.start_server"
    " asyncio.start_unix_server asyncio.to_thread"
    " datetime.date.today datetime.datetime.now datetime.datetime.today datetime.datetime.utcnow"
    " date.today datetime.now datetime.today datetime.utcnow"
    " hashlib.pbkdf2_hmac hashlib.scrypt"
)

# Objects that belong to one event loop, so never to a module.
ASYNCIO_OBJECTS = words(
    "Barrier BoundedSemaphore Condition Event Future Lock LifoQueue PriorityQueue Queue Runner"
    " Semaphore Task TaskGroup create_task ensure_future gather get_event_loop new_event_loop"
    " Timeout timeout timeout_at"
)

SQL_START = re.compile(
    r"\s*(select\b|insert\s+(or\s+\w+\s+)?into\b|update\s+\S+\s+set\b|delete\s+from\b"
    r"|with\s+(recursive\s+)?\w+(\s*\([^)]*\))?\s+as\b)",
    re.IGNORECASE,
)
SQL_STATEMENT = re.compile(
    r"\s*(select\b.+\bfrom\b|insert\s+(or\s+\w+\s+)?into\b|update\s+\S+\s+set\s+\w+\s*="
    r"|delete\s+from\s+\S+\s*(where\b|$)|create\s+(table|index|unique)\b)",
    re.IGNORECASE | re.DOTALL,
)
SQL_NOISE = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
VALUE = "\N{HORIZONTAL ELLIPSIS}"  # stands for what a formatted string gets at run time

EXEMPTION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:)", re.IGNORECASE)
EXEMPTION_WITH_CODE = re.compile(
    r"#\s*(noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|type:\s*ignore\[[\w, -]+\]|pragma: no \w+)"
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def long_file(source: str) -> list[str]:
    """A file that no longer fits in one reading."""
    lines = len(source.splitlines())
    return [f"{lines}: more than {FILE_LINES} lines"] if lines > FILE_LINES else []


def long_functions(source: str) -> list[str]:
    """Functions longer than a screen, counted from `def` to their last line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                found.append(f"{node.lineno}: {node.name} has {lines} lines")
    return found


def wide_ports(source: str) -> list[str]:
    """Protocols with more methods than a port may have."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and "Protocol" in {dotted(base) for base in node.bases}:
            methods = sum(isinstance(member, Function) for member in node.body)
            if methods > PORT_METHODS:
                found.append(f"{node.lineno}: {node.name} has {methods} methods")
    return found


def bare_decoders(source: str) -> list[str]:
    """JSON decoded without a look at its depth, where others wrote it."""
    return [
        f"{node.lineno}: msgspec.json where penstock.wire.json.parser is due"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and dotted(node).startswith("msgspec.json.")
    ]


def dotted(node: ast.expr) -> str:
    """`asyncio.sleep` for that expression, the empty string for what is not a plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    if isinstance(node, ast.Subscript):
        return dotted(node.value)
    return ""


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every absolute import in a tree, at any depth, with each name of a `from` as its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def impure_import(name: str) -> bool:
    """Does importing this dotted name leave the core's world?"""
    parts = name.split(".")
    if parts[0] not in CORE_PACKAGES | sys.stdlib_module_names:
        return True
    heads = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return bool(heads & IMPURE_MODULES) or name in IMPURE_CALLS


def impurities(source: str) -> list[str]:
    """Imports and calls that reach past the ports: I/O, threads, clocks, randomness, drivers."""
    tree = ast.parse(source)
    found = [f"{line}: imports {name}" for line, name in imported(tree) if impure_import(name)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func) in IMPURE_CALLS and not yields(node):
            found.append(f"{node.lineno}: calls {dotted(node.func)}")
    return found


def yields(call: ast.Call) -> bool:
    """Is this `asyncio.sleep(0)`, which gives way to other tasks and waits for nothing?"""
    return ast.unparse(call) == "asyncio.sleep(0)"


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported: not the bodies of functions and lambdas."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.Lambda):
            for part in (*child.args.defaults, *child.args.kw_defaults):
                if part is not None:
                    yield part
                    yield from at_import(part)
            continue
        yield child
        yield from at_import(child)


def asyncio_at_import(source: str) -> list[str]:
    """asyncio objects made at import, which would be shared between loops and requests."""
    tree = ast.parse(source)
    direct = {name.removeprefix("asyncio.") for _, name in imported(tree) if "asyncio." in name}
    names = {f"asyncio.{name}" for name in ASYNCIO_OBJECTS} | (direct & ASYNCIO_OBJECTS)
    return [
        f"{node.lineno}: makes {dotted(node.func)} at import"
        for node in at_import(tree)
        if isinstance(node, ast.Call) and dotted(node.func) in names
    ]


def import_effects(source: str) -> list[str]:
    """Calls made at import for their effect alone."""
    return [
        f"{node.lineno}: calls {ast.unparse(node.value)[:40]} at import"
        for node in ast.parse(source).body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await)
    ]


def global_statements(source: str) -> list[str]:
    """State kept in a module."""
    nodes = ast.walk(ast.parse(source))
    return [f"{node.lineno}: global" for node in nodes if isinstance(node, ast.Global)]


def prints(source: str) -> list[str]:
    """Calls of `print`, which is no way for a server to speak."""
    return [
        f"{node.lineno}: print"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and dotted(node.func) == "print"
    ]


def sleeps(source: str) -> list[str]:
    """Sleeps of a real length without a comment on their line that says what they wait for."""
    lines = source.splitlines()
    return [
        f"{node.lineno}: {dotted(node.func)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and dotted(node.func) in {"time.sleep", "asyncio.sleep"}
        and not yields(node)
        and "# " not in lines[node.lineno - 1]
    ]


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Each comment with its line."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def bare_exemptions(source: str) -> list[str]:
    """`noqa` or `type: ignore` with no code, or with no reason beside it."""
    found = []
    for line, comment in comments(source):
        rest = EXEMPTION_WITH_CODE.sub("", comment)
        said_why = len(re.findall(r"[A-Za-z]{2,}", rest)) > 1
        if EXEMPTION.search(comment) and (EXEMPTION.search(rest) or not said_why):
            found.append(f"{line}: {comment} needs a code and a reason")
    return found


def unfinished(source: str) -> list[str]:
    """Marks of work left undone."""
    lines = enumerate(source.splitlines(), 1)
    return [f"{number}: {line.strip()}" for number, line in lines if UNFINISHED.search(line)]


def numbered(sql: str) -> bool:
    """Do the parameters first appear as $1, $2, $3 …, save those that a formatted value may bring?"""
    seen: list[int] = []
    for number in map(int, re.findall(r"\$(\d+)", SQL_NOISE.sub("", sql))):
        if number not in seen:
            seen.append(number)
    return seen == (sorted(seen) if VALUE in sql else list(range(1, len(seen) + 1)))


def strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """String literals but docstrings; a formatted one has VALUE for each of its values."""
    inner: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inner.update(ast.walk(node))
            parts = [str(p.value) if isinstance(p, ast.Constant) else VALUE for p in node.values]
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inner.add(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inner:
            yield node.lineno, node.value


def misnumbered_sql(source: str) -> list[str]:
    """Statements whose parameters are not numbered in order of first appearance."""
    return [
        f"{line}: {' '.join(text.split())[:60]}"
        for line, text in strings(ast.parse(source))
        if SQL_START.match(text) and not numbered(text)
    ]


def stray_sql(source: str) -> list[str]:
    """Statements that stand outside a `sql.py`."""
    return [
        f"{line}: {' '.join(text.split())[:60]}"
        for line, text in strings(ast.parse(source))
        if SQL_STATEMENT.match(text)
    ]

"""Run as `wrangler`: records its words, and answers as the real one does where it is logged in, from one JSON file.

What it prints is what wrangler 4.164 printed for the same commands (banners left out).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

STATE = Path(os.environ.get("FAKE_WRANGLER", ""))
VERSION = "00000000-0000-0000-0000-00000000000"


def main() -> int:
    words = sys.argv[1:]
    if words == ["--version"]:
        sys.stdout.write("4.164.0" + "\n")
        return 0
    state = json.loads(STATE.read_text())
    state["calls"].append(words)
    said = sys.stdin.read() if words[:2] == ["secret", "bulk"] else ""
    for start, failure in state["fail"].items():
        if " ".join(words).startswith(start):
            STATE.write_text(json.dumps(state))
            return fail(failure)
    answer = ANSWERS.get(" ".join(words[:2])) or ANSWERS[words[0]]
    code: int = answer(state, words, said)
    STATE.write_text(json.dumps(state))
    return code


def fail(message: str, code: int | None = None) -> int:
    event = {"type": "command-failed", "version": 1, "message": message}
    tell(event | ({"code": code} if code else {}))
    sys.stderr.write(
        f"\x1b[31m✘ \x1b[41;31m[\x1b[41;97mERROR\x1b[41;31m]\x1b[0m \x1b[1m{message}\x1b[0m" + "\n"
    )
    return 1


def tell(event):
    with Path(os.environ["WRANGLER_OUTPUT_FILE_PATH"]).open("a") as events:
        events.write(json.dumps(event) + "\n")


def show(value) -> int:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    return 0


def whoami(state, words, said):
    if not state["login"]:
        show({"loggedIn": False})
        return 1
    return show(
        {"loggedIn": True, "accounts": [{"id": name, "name": name} for name in state["accounts"]]}
    )


def kv(state, words, said):
    if words[2] == "create":
        state["kv"].append({"id": f"kv-{words[3]}", "title": words[3]})
        sys.stdout.write("✨ Success!\n? Would you like Wrangler to add it on your behalf?" + "\n")
        return 0
    return show(state["kv"])


def d1_list(state, words, said):
    return show(state["d1"])


def d1_create(state, words, said):
    state["d1"].append({"uuid": f"d1-{words[2]}", "name": words[2]})
    sys.stdout.write(f"✅ Successfully created DB '{words[2]}'" + "\n")
    return 0


def d1_execute(state, words, said):
    sql = words[words.index("--command") + 1]
    for statement in filter(None, sql.split(";")):
        if statement.split()[0] == "alter":
            _, _, old, _, _, new = statement.split()
            state["tables"][state["tables"].index(old)] = new
    rows = [{"name": name} for name in state["tables"]] if sql.startswith("select") else []
    return show([{"results": rows, "success": True, "meta": {"duration": 0}}])


def d1_migrations(state, words, said):
    sys.stdout.write("✅ No migrations to apply!" + "\n")
    return 0


def r2(state, words, said):
    if words[2] == "create":
        state["r2"].append(words[3])
        return 0
    if words[3] not in state["r2"]:
        return fail(
            f"A request to the Cloudflare API (/accounts/a/r2/buckets/{words[3]}) failed.", 10006
        )
    return show({"name": words[3]})


def vectorize_list(state, words, said):
    return show(
        [
            {"name": name, "config": {"dimensions": size}}
            for name, size in state["vectorize"].items()
        ]
    )


def vectorize_create(state, words, said):
    state["vectorize"][words[2]] = int(words[3].removeprefix("--dimensions="))
    return 0


def metadata_list(state, words, said):
    return show([{"propertyName": name, "indexType": "string"} for name in state["metadata"]])


def metadata_create(state, words, said):
    state["metadata"].append(words[3].removeprefix("--propertyName="))
    return 0


def secret_list(state, words, said):
    if not state["versions"] and not state["secrets"]:
        return fail('Worker "penstock" not found.')
    return show([{"name": name, "type": "secret_text"} for name in state["secrets"]])


def secret_bulk(state, words, said):
    state["secrets"] |= json.loads(said)
    return 0


def deployments(state, words, said):
    return show(
        [
            {
                "created_on": f"2026-11-27T00:00:0{at}Z",
                "versions": [{"version_id": name, "percentage": 100}],
            }
            for at, name in enumerate(state["versions"])
        ]
    )


def deploy(state, words, said):
    if "meter/wrangler.jsonc" in words:
        tell({"type": "deploy", "version": 1, "version_id": "m", "targets": []})
        return 0
    state["versions"].append(f"{VERSION}{len(state['versions'])}")
    targets = ["https://penstock.me.workers.dev", "schedule: * * * * *"]
    tell({"type": "deploy", "version": 1, "version_id": state["versions"][-1], "targets": targets})
    return 0


def rollback(state, words, said):
    state["versions"].append(words[1])
    return 0


ANSWERS = {
    "whoami --json": whoami,
    "kv namespace": kv,
    "d1 list": d1_list,
    "d1 create": d1_create,
    "d1 execute": d1_execute,
    "d1 migrations": d1_migrations,
    "r2 bucket": r2,
    "vectorize list": vectorize_list,
    "vectorize create": vectorize_create,
    "vectorize list-metadata-index": metadata_list,
    "vectorize create-metadata-index": metadata_create,
    "secret list": secret_list,
    "secret bulk": secret_bulk,
    "deployments list": deployments,
    "deploy": deploy,
    "rollback": rollback,
}

if __name__ == "__main__":
    sys.exit(main())

"""`penstock token` and the development issuer's secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time

import pytest

from penstock.config import Config
from penstock.entry import secrets
from penstock.entry.cli import main
from penstock.errors import Misconfigured


def part(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opened(token, secret):
    """Claims of a token that this secret signed."""
    head, body, signature = token.split(".")
    expected = hmac.digest(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256)
    assert part(signature) == expected
    assert json.loads(part(head))["alg"] == "HS256"
    return json.loads(part(body))


def test_prints_the_token_alone(home, capsys):
    before = int(time.time())
    assert main(["token", "--sub", "alice"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    file = home / ".penstock" / "secret.jwt"
    claims = opened(out.strip(), file.read_text().strip())
    assert claims["sub"] == "alice"
    assert (claims["iss"], claims["aud"]) == ("penstock-dev", "penstock-dev")
    assert before <= claims["iat"]
    assert claims["exp"] - claims["iat"] == 3600
    assert {"tier", "scope", "tenant", "email", "role"}.isdisjoint(claims)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["secret.jwt"]


def test_says_what_it_was_told(home, capsys):
    words = [
        "--sub",
        "a",
        "--tier",
        "pro",
        "--tenant",
        "acme",
        "--email",
        "a@b.c",
        "--role",
        "admin",
        "--ttl",
        "15min",
        "--json",
    ]
    assert main(["token", *words, "--scope", "chat,embed", "--scope", "route:force rag"]) == 0
    said = json.loads(capsys.readouterr().out)
    claims = opened(said["token"], (home / ".penstock" / "secret.jwt").read_text().strip())
    wanted = {
        "sub": "a", "tier": "pro", "tenant": "acme", "email": "a@b.c", "role": "admin",
        "scope": "chat embed route:force rag",
    }  # fmt: skip
    assert wanted.items() <= claims.items()
    assert claims["exp"] - claims["iat"] == 900
    assert said["expires_at"] == claims["exp"]
    assert said["claims"].items() <= claims.items()


def test_jwt_secret_signs_where_it_is_set(home, capsys, monkeypatch):
    secret = "s" * 40
    monkeypatch.setenv("JWT_SECRET", secret)
    assert main(["token", "--sub", "a"]) == 0
    claims = opened(capsys.readouterr().out.strip(), secret)
    assert {"iss", "aud"}.isdisjoint(claims)
    assert not (home / ".penstock").exists()


def test_a_configured_tier_may_be_named(home, capsys):
    (home / "penstock.toml").write_text("[tiers.gold]\nscale = 5\n")
    assert main(["token", "--sub", "a", "--tier", "gold"]) == 0
    assert capsys.readouterr().out


def test_other_issuers_tokens_cannot_be_made(home, capsys):
    (home / "penstock.toml").write_text(
        "[[auth.issuers]]\nmode='jwks'\nissuer='i'\naudience='a'\njwks_url='https://i/k'\n"
    )
    assert main(["token", "--sub", "a"]) == 1
    said = (
        "penstock: misconfigured: no hs256 issuer is configured; ask your own issuer for a token\n"
    )
    assert capsys.readouterr().err == said


def test_the_secret_is_made_once(tmp_path):
    data = tmp_path / "a" / "b"
    made = secrets.development_secret(data)
    assert len(made) >= 32
    assert secrets.development_secret(data) == made
    assert secrets.development_secret(tmp_path / "c") != made


def test_many_at_once_agree_on_one_secret(tmp_path):
    found = []
    gate = threading.Barrier(8)

    def work():
        gate.wait()
        found.append(secrets.development_secret(tmp_path))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.jwt"]


def test_a_short_secret_is_refused(tmp_path):
    (tmp_path / "secret.jwt").write_text("short")
    with pytest.raises(Misconfigured, match=r"secret\.jwt is shorter than 32 bytes; remove it"):
        secrets.development_secret(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match=r"secret\.jwt cannot be read or made; check who owns"):
        secrets.development_secret(tmp_path / "file")


def test_a_configured_issuer_is_left_alone(tmp_path):
    config = Config(data=str(tmp_path))
    with_one = secrets.with_issuer(config)
    assert [issuer.issuer for issuer in with_one.auth.issuers] == ["penstock-dev"]
    assert secrets.with_issuer(with_one) is with_one

"""Letters by a real SMTP conversation, and in a folder that nobody else reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from penstock.errors import Misconfigured
from penstock_services.auth.mail import Letter, Post
from tests.services.home import Auth, secret, settled
from tests.stores import free_port


class Sink:
    """Keeps what it is sent; without `takes` it refuses every letter."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.logins: list[bytes] = []
        self.takes = True

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 OK" if self.takes else "554 no"

    def login(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        mechanism: str,
        data: LoginPassword,
    ) -> AuthResult:
        self.logins += [data.login, data.password]
        return AuthResult(success=True)


@pytest.fixture
def sink() -> Iterator[tuple[Sink, int]]:
    kept = Sink()
    port = free_port()
    controller = Controller(
        kept, "127.0.0.1", port, authenticator=kept.login, auth_require_tls=False
    )
    controller.start()
    yield kept, port
    controller.stop()


async def test_a_letter_reaches_a_mail_server(tmp_path, sink):
    kept, port = sink
    auth = Auth(tmp_path, SMTP_URL=f"smtp://127.0.0.1:{port}", APP_URL="https://app.test/")
    await auth.register()
    await settled(auth.world)
    [envelope] = kept.envelopes
    assert envelope.rcpt_tos == ["ada@example.com"]
    text = envelope.content.decode().replace("\r\n", "\n")
    token = secret(text)
    assert f"https://app.test/verify-email?token={token}" in text
    assert (await auth.ask("POST /api/auth/verify-email", {"token": token})).status == 200
    assert not auth.outbox.exists()
    auth.passwords.close()


async def test_it_logs_in_where_a_password_is_configured(sink):
    kept, port = sink
    post = Post("us@example.com", f"smtp://me:p%40ss@127.0.0.1:{port}", Path("unused"))
    await post.deliver(Letter("you@example.com", "Hello", "Text"))
    assert kept.logins == [b"me", b"p@ss"]


async def test_a_letter_that_is_not_taken_changes_no_reply_and_tells_no_secret(
    tmp_path, sink, caplog
):
    kept, port = sink
    kept.takes = False
    auth = Auth(tmp_path, SMTP_URL=f"smtp://127.0.0.1:{port}")
    with caplog.at_level(logging.DEBUG, "penstock"):
        reply = await auth.register()
        with pytest.raises(Exception, match="no"):
            await settled(auth.world)
    assert reply.status == 201
    assert "ada@example.com" not in caplog.text
    auth.passwords.close()


async def test_the_folder_is_its_owners_alone(auth):
    await auth.register()
    await auth.letters()
    [file] = auth.outbox.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert auth.outbox.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("url", ["http://mail.test", "smtp://", "mail.test:25"])
def test_what_is_no_mail_server_is_refused_at_the_start(tmp_path, url):
    with pytest.raises(Misconfigured, match="SMTP_URL"):
        Post("us@example.com", url, tmp_path)


async def test_letters_do_not_hold_up_the_reply(auth, monkeypatch):
    released = asyncio.Event()

    async def slow(post: Post, letter: Letter) -> None:
        await released.wait()

    monkeypatch.setattr(Post, "deliver", slow)
    assert (await auth.register()).status == 201
    assert auth.world.spawn.running == 1
    released.set()
    await settled(auth.world)

"""What every Mail keeps to, and what only a real conversation by SMTP shows."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Iterator
from contextlib import suppress
from email.message import EmailMessage

import pytest
from msgspec.structs import replace

from penstock.config.mail import MailServer
from penstock.errors import Broken, Failed, NotSent
from penstock.platforms.mail import THREADS, SmtpMail
from penstock.platforms.memory.mail import MemoryMail
from penstock.ports import Mail
from penstock.wire.letters import MOST_LETTER_BYTES, MOST_RECIPIENTS, Attached, Letter
from tests.authority import Authority, made_authority
from tests.mailbox import Mailbox, mailbox
from tests.stores import free_port

LETTER = Letter("ntc_1.a", ("ops@example.com", "me@example.com"), "Späte Nachricht", "Grüße\n")
PDF = Attached("Oktober 2026, Übersicht.pdf", "application/pdf", b"%PDF\x00\xff\r\n.\r\n")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return made_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


@pytest.fixture
def smtp() -> Iterator[SmtpMail]:
    mail = SmtpMail()
    yield mail
    mail.close()


@pytest.fixture
def server(box: Mailbox) -> MailServer:
    return at(box)


@pytest.fixture(params=["memory", "embedded"])
def mail(request, smtp: SmtpMail, box: Mailbox) -> Mail:
    """One that refuses nobody@example.com."""
    box.refuses.add("nobody@example.com")
    if request.param == "embedded":
        return smtp

    def refuses(letter: Letter, server: MailServer) -> list[str]:
        refused = [one for one in letter.to if one == "nobody@example.com"]
        if len(refused) == len(letter.to):
            raise Failed(processed="no", upstream_status=550, retryable=False)
        return refused

    return MemoryMail(refuses)


def at(box: Mailbox, **more) -> MailServer:
    plain = MailServer("127.0.0.1", box.port, "none", sender="penstock@example.com")
    return replace(plain, **more)


def read(box: Mailbox) -> EmailMessage:
    [envelope] = box.envelopes
    assert isinstance(envelope.content, bytes)
    found = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def lines(part) -> list[str]:
    return str(part.get_content()).splitlines()


async def test_a_letter_is_taken(mail, server):
    assert not await mail.send(LETTER, server)


async def test_whom_the_server_does_not_know_is_named(mail, server):
    to = ("ops@example.com", "nobody@example.com")
    assert list(await mail.send(replace(LETTER, to=to), server)) == ["nobody@example.com"]


async def test_a_letter_to_nobody_it_knows_is_refused_for_good(mail, server):
    with pytest.raises(Failed) as refused:
        await mail.send(replace(LETTER, to=("nobody@example.com",)), server)
    assert (refused.value.retryable, refused.value.processed) == (False, "no")
    assert refused.value.upstream_status == 550
    assert "secret" not in refused.value.message


@pytest.mark.parametrize(
    "much",
    [
        {"attached": (Attached("a", "text/plain", bytes(MOST_LETTER_BYTES)),)},
        {"to": ()},
        {"to": ("a@example.com",) * (MOST_RECIPIENTS + 1)},
    ],
    ids=["size", "to nobody", "to many"],
)
async def test_what_is_too_much_is_refused_for_good(mail, server, much):
    with pytest.raises(Failed) as refused:
        await mail.send(replace(LETTER, **much), server)
    assert not refused.value.retryable


async def test_what_the_letter_says_arrives(smtp, box):
    letter = replace(LETTER, html="<p>Grüße</p>", attached=(PDF,))
    await smtp.send(letter, at(box))
    assert box.envelopes[0].rcpt_tos == list(LETTER.to)
    assert box.envelopes[0].mail_from == "penstock@example.com"
    found = read(box)
    assert found["subject"] == LETTER.subject
    assert found["message-id"] == "<ntc-1.a@example.com>"
    assert (found["from"], found["to"]) == (
        "penstock@example.com",
        "ops@example.com, me@example.com",
    )
    text, html = found.get_body(("plain",)), found.get_body(("html",))
    assert text is not None
    assert lines(text) == ["Grüße"]
    assert html is not None
    assert lines(html) == ["<p>Grüße</p>"]
    [pdf] = found.iter_attachments()
    assert (pdf.get_filename(), pdf.get_content_type()) == (PDF.name, PDF.kind)
    assert pdf.get_content() == PDF.data


NAUGHTY = "a\r\nBcc: eve@example.com\r\n\r\nb\u2028c\x00\ud800"


async def test_nothing_in_a_letter_becomes_a_header_or_a_command(smtp, box):
    text = "one\n.\nMAIL FROM:<eve@example.com>\n..\n\ud800"
    attached = Attached(NAUGHTY, f"text/plain\r\n{NAUGHTY}", b"x")
    await smtp.send(Letter(NAUGHTY, ("ops@example.com",), NAUGHTY, text, "", (attached,)), at(box))
    found = read(box)
    assert found["bcc"] is None
    assert found["subject"] == "a Bcc: eve@example.com b c"
    assert box.envelopes[0].rcpt_tos == ["ops@example.com"]
    body = found.get_body(("plain",))
    assert body is not None
    assert lines(body) == text.replace("\ud800", "?").split("\n")
    [one] = found.iter_attachments()
    assert one.get_content_type() == "application/octet-stream"
    assert one.get_filename() == "a Bcc: eve@example.com b c"


async def test_a_password_is_shown_and_a_wrong_one_told(smtp, box):
    await smtp.send(LETTER, at(box, user="me", password="right"))
    assert box.logins == [(b"me", b"right")]
    with pytest.raises(Failed) as refused:
        await smtp.send(LETTER, at(box, user="me", password="wrong"))
    assert refused.value.upstream_status == 535
    assert len(box.envelopes) == 1


@pytest.mark.parametrize(("answer", "again"), [("451 later", True), ("554 never", False)])
async def test_a_refusal_says_whether_to_try_again(smtp, box, answer, again):
    box.answers.append(answer)
    with pytest.raises(Failed) as refused:
        await smtp.send(LETTER, at(box))
    assert refused.value.retryable is again
    assert refused.value.processed == "no"


async def test_a_server_that_is_away_is_not_sent_to(smtp):
    away = MailServer("127.0.0.1", free_port(), "none", sender="penstock@example.com")
    with pytest.raises(NotSent):
        await smtp.send(LETTER, away)


async def test_a_connection_that_breaks_leaves_it_open_whether_it_was_taken(smtp, box):
    box.answers.append("421 going\r\n")  # aiosmtpd says so and closes
    with pytest.raises(Failed) as broken:
        await smtp.send(LETTER, at(box))
    assert broken.value.retryable


async def test_a_server_that_says_nothing_is_given_up(smtp, box, monkeypatch):
    monkeypatch.setattr("penstock.platforms.mail.WHOLE_SECONDS", 0.0)
    with pytest.raises(Broken):
        await smtp.send(LETTER, at(box))


@pytest.mark.parametrize("security", ["none", "starttls"])
async def test_a_server_that_never_comes_to_an_end_keeps_no_thread(monkeypatch, security):
    """A byte now and then, so that no silence is too long."""
    monkeypatch.setattr("penstock.platforms.mail.WHOLE_SECONDS", 0.2)

    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"2")
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(100), 0.01)
        writer.close()

    mail = SmtpMail()
    async with await asyncio.start_server(drips, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        at = MailServer("127.0.0.1", port, security, sender="penstock@example.com")
        for _ in range(THREADS):
            with pytest.raises(Broken):
                await mail.send(LETTER, at)
        free = asyncio.get_running_loop().run_in_executor(mail._threads, int)
        assert await asyncio.wait_for(free, 60) == 0
    mail.close()


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_tls_checks_the_certificate_and_its_name(smtp, authority, monkeypatch, security):
    context = authority.server("127.0.0.1")
    with mailbox(certificate=context, tls=security == "tls") as box:
        server = at(box, security=security)
        with pytest.raises(NotSent, match="certificate"):
            await smtp.send(LETTER, server)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        await smtp.send(LETTER, server)
        assert len(box.envelopes) == 1
        with pytest.raises(NotSent, match="certificate"):
            await smtp.send(LETTER, replace(server, host="localhost"))


async def test_starttls_is_never_left_out(smtp, box):
    with pytest.raises(Failed, match="STARTTLS"):
        await smtp.send(LETTER, at(box, security="starttls"))
    assert not box.envelopes

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Failure, call, get, resume, send, signIn, signOut } from '../src/lib/api';
import { chat, type Piece } from '../src/lib/chat';
import { ended, session } from '../src/lib/session';
import type { Session } from '../src/lib/types';

const ADA: Session = {
  csrf: 'first',
  caller: { tenant: 'default', sub: 'ada', scopes: ['admin'], tier: 'free' },
  expires: '2026-11-28T00:00:00Z',
};

interface Sent {
  method: string;
  url: string;
  headers: Record<string, string>;
}

let sent: Sent[] = [];

/** A gateway that gives these replies in turn. */
function gateway(...replies: Response[]): void {
  vi.stubGlobal('fetch', (url: string, init: RequestInit = {}) => {
    const headers = (init.headers ?? {}) as Record<string, string>;
    sent.push({ method: init.method ?? 'GET', url, headers });
    const reply = replies.shift();
    return reply ? Promise.resolve(reply) : Promise.reject(new TypeError('nobody there'));
  });
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers });

const empty = (): Response => new Response(null, { status: 204 });

async function failure(doing: Promise<unknown>): Promise<Failure> {
  const found: unknown = await doing.then(
    () => null,
    (error: unknown) => error,
  );
  expect(found).toBeInstanceOf(Failure);
  return found as Failure;
}

beforeEach(() => {
  sent = [];
  session.value = ADA;
  ended.value = false;
});
afterEach(() => {
  vi.unstubAllGlobals();
});

test('what changes something carries the session’s token, what reads does not', async () => {
  gateway(json(200, { a: 1 }), empty());
  expect(await get('/admin/keys')).toEqual({ a: 1 });
  expect(await call('DELETE', '/admin/keys/1')).toBeNull();
  expect(sent.map((one) => one.headers['x-csrf-token'])).toEqual([undefined, 'first']);
});

test('where another tab signed in anew, the new token is fetched and the request repeated once', async () => {
  const refused = () => json(403, { code: 'csrf', detail: 'No.' });
  gateway(refused(), json(200, { ...ADA, csrf: 'second' }), empty());
  await call('DELETE', '/admin/keys/1');
  expect(sent.map((one) => `${one.method} ${one.url}`)).toEqual([
    'DELETE /admin/keys/1',
    'GET /dashboard/session',
    'DELETE /admin/keys/1',
  ]);
  expect(sent[2]?.headers['x-csrf-token']).toBe('second');

  gateway(refused(), json(200, ADA), refused());
  expect((await failure(call('DELETE', '/admin/keys/1'))).code).toBe('csrf');
});

test('a 401 ends the session, and says so; signing out does not', async () => {
  gateway(json(401, { code: 'credential_revoked', detail: 'Gone.' }));
  expect((await failure(get('/admin/keys'))).status).toBe(401);
  expect([session.value, ended.value]).toEqual([null, true]);

  gateway(json(200, ADA), empty());
  await signIn('pk-1');
  expect([session.value, ended.value]).toEqual([ADA, false]);
  await signOut();
  expect([session.value, ended.value]).toEqual([null, false]);
});

test('nobody is signed in where the gateway knows no session', async () => {
  gateway(json(401, { code: 'missing_credential' }));
  await resume();
  expect([session.value, ended.value]).toEqual([null, false]);
});

test('a failure tells its code, its request and how long to wait', async () => {
  const headers = { 'x-request-id': 'req_1', 'retry-after': '7' };
  gateway(json(429, { code: 'rate_limit_exceeded', detail: 'Slowly.' }, headers));
  const found = await failure(send('GET', '/admin/x'));
  expect(found).toMatchObject({
    status: 429,
    code: 'rate_limit_exceeded',
    message: 'Slowly.',
    request: 'req_1',
    wait: 7,
  });
  gateway(new Response('<html>', { status: 502 }), new Response('<html>'));
  expect((await failure(get('/admin/x'))).code).toBe('http_502');
  expect((await failure(get('/admin/x'))).code).toBe('unreadable');
  gateway();
  expect((await failure(get('/admin/x'))).code).toBe('unreachable');
});

async function said(text: string): Promise<Piece[]> {
  const headers = {
    'x-request-id': 'req_1',
    'x-penstock-target': 'a/b',
    'x-penstock-cache': 'miss',
  };
  gateway(new Response(text, { headers }));
  const { signal } = new AbortController();
  const pieces: Piece[] = [];
  const asked = { model: 'auto', messages: [], fresh: true, max: null, signal };
  for await (const piece of chat(asked)) pieces.push(piece);
  return pieces;
}

const chunk = (body: unknown): string => `data: ${JSON.stringify(body)}\n\n`;

test('a chat tells where it went, its pieces, its end and its tokens', async () => {
  const tokens = { prompt_tokens: 3, completion_tokens: 2 };
  const pieces = await said(
    chunk({ choices: [{ delta: { role: 'assistant', content: '' } }] }) +
      chunk({ choices: [{ delta: { content: 'Hel' } }] }) +
      chunk({ choices: [{ delta: { content: 'lo' }, finish_reason: 'stop' }] }) +
      chunk({ choices: [], usage: tokens }) +
      'data: [DONE]\n\n',
  );
  expect(pieces).toEqual([
    { kind: 'told', told: { id: 'req_1', target: 'a/b', cache: 'miss' } },
    { kind: 'text', text: 'Hel' },
    { kind: 'text', text: 'lo' },
    { kind: 'end', reason: 'stop' },
    { kind: 'tokens', tokens },
  ]);
  expect(sent[0]?.headers).toMatchObject({ 'cache-control': 'no-cache', 'x-csrf-token': 'first' });
});

test.each([
  [
    'an error event',
    chunk({ error: { code: 'upstream_failed', message: 'No.' } }),
    'upstream_failed',
  ],
  ['no end', chunk({ choices: [{ delta: { content: 'Hel' } }] }), 'cut_off'],
  ['what is no JSON', 'data: {"cho\n\n', 'unreadable'],
  ['what is no object', 'data: 7\n\n', 'unreadable'],
])('a chat with %s fails, and names its request', async (_, text, code) => {
  expect(await failure(said(text))).toMatchObject({ code, request: 'req_1' });
});

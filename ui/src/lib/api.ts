/** The gateway's HTTP: the session's cookie goes by itself, and what changes something carries its CSRF token. */
import { ended, session } from './session';
import type { Session } from './types';

export type Query = Record<string, string | number | boolean | null | undefined>;

/** What the gateway refused, or what kept it from answering (`status` 0). */
export class Failure extends Error {
  readonly status: number;
  readonly code: string;
  readonly request: string | null;
  readonly wait: number | null;

  constructor(
    status: number,
    code: string,
    message: string,
    request: string | null = null,
    wait: number | null = null,
  ) {
    super(message);
    this.name = 'Failure';
    this.status = status;
    this.code = code;
    this.request = request;
    this.wait = wait;
  }
}

export function address(path: string, query: Query = {}): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') asked.set(name, String(value));
  }
  const text = asked.toString();
  return text ? `${path}?${text}` : path;
}

export interface Sent {
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** Sends a request and hands back the reply as it is; throws a Failure unless it is a 2xx. */
export async function send(method: string, path: string, sent: Sent = {}): Promise<Response> {
  try {
    return await once(method, path, sent);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'csrf') throw error;
    await resume(); // another tab signed in anew, and its token is not this page's
    return once(method, path, sent);
  }
}

async function once(method: string, path: string, sent: Sent): Promise<Response> {
  const url = address(path, sent.query);
  let reply: Response;
  try {
    reply = await fetch(url, init(method, sent));
  } catch (error) {
    if (sent.signal?.aborted) throw error;
    throw new Failure(0, 'unreachable', 'The gateway did not answer. Is it running?');
  }
  if (reply.ok) return reply;
  const failure = await failed(reply);
  if (reply.status === 401 && path !== '/dashboard/session') {
    if (session.value) ended.value = true;
    session.value = null;
  }
  throw failure;
}

/** Sends a request and reads the JSON of its reply; an empty reply is `null`. */
export async function call<T>(method: string, path: string, sent: Sent = {}): Promise<T> {
  const reply = await send(method, path, sent);
  const text = await textOf(reply, sent.signal);
  try {
    return (text ? JSON.parse(text) : null) as T;
  } catch {
    throw new Failure(reply.status, 'unreadable', 'The reply is no JSON.', idOf(reply));
  }
}

async function textOf(reply: Response, signal?: AbortSignal): Promise<string> {
  try {
    return await reply.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure(0, 'cut_off', 'The reply broke off.', idOf(reply));
  }
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  call<T>('GET', path, { ...(query && { query }), ...(signal && { signal }) });

function init(method: string, sent: Sent): RequestInit {
  const headers: Record<string, string> = { accept: 'application/json', ...sent.headers };
  const made: RequestInit = { method, headers };
  if (sent.signal) made.signal = sent.signal;
  if (method !== 'GET' && session.value) headers['x-csrf-token'] = session.value.csrf;
  if (sent.body !== undefined) {
    headers['content-type'] = 'application/json';
    made.body = JSON.stringify(sent.body);
  }
  return made;
}

async function failed(reply: Response): Promise<Failure> {
  const told: unknown = await reply.json().catch(() => null);
  const { code, message } = reasonOf(told);
  const wait = Number(reply.headers.get('retry-after') ?? Number.NaN);
  return new Failure(
    reply.status,
    code ?? `http_${reply.status}`,
    message ?? `The gateway answered ${reply.status} ${reply.statusText}`.trim(),
    idOf(reply),
    Number.isFinite(wait) ? wait : null,
  );
}

/** The code and the message of either form of error: OpenAI's envelope, or an RFC 9457 problem. */
export function reasonOf(told: unknown): { code: string | null; message: string | null } {
  const outer = record(told);
  const inner = record(outer['error']);
  return {
    code: firstText(inner['code'], outer['code'], inner['type']),
    message: firstText(inner['message'], outer['detail'], outer['error'], outer['title']),
  };
}

function firstText(...values: unknown[]): string | null {
  return values.find((one): one is string => typeof one === 'string' && one !== '') ?? null;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function idOf(reply: Response): string | null {
  return reply.headers.get('x-request-id');
}

/** Asks who is signed in. */
export async function resume(): Promise<void> {
  try {
    session.value = await get<Session>('/dashboard/session');
  } catch (error) {
    if (error instanceof Failure && error.status !== 401) throw error;
    session.value = null;
  }
}

export async function signIn(credential: string): Promise<void> {
  const begun = await call<Session>('POST', '/dashboard/session', { body: { credential } });
  ended.value = false;
  session.value = begun;
}

export async function signOut(): Promise<void> {
  try {
    await call('DELETE', '/dashboard/session');
  } catch (error) {
    if (!(error instanceof Failure) || error.status !== 401) throw error;
  }
  ended.value = false;
  session.value = null;
}

/** A streamed chat: pieces of the answer as they come, and what the gateway tells about it in headers and events. */
import { Failure, get, reasonOf, send } from './api';
import { events } from './sse';

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface Told {
  id: string | null;
  target: string | null;
  cache: string | null;
}

export interface Tokens {
  prompt_tokens: number;
  completion_tokens: number;
}

export type Piece =
  | { kind: 'told'; told: Told }
  | { kind: 'text'; text: string }
  | { kind: 'tokens'; tokens: Tokens }
  | { kind: 'end'; reason: string };

interface Asked {
  model: string;
  messages: Message[];
  fresh: boolean;
  max: number | null;
  signal: AbortSignal;
}

interface Chunk {
  choices?: { delta?: { content?: string | null }; finish_reason?: string | null }[];
  usage?: Tokens | null;
  error?: unknown;
}

/** Throws a Failure where it is refused, or fails on the way. */
export async function* chat(asked: Asked): AsyncGenerator<Piece> {
  const { model, messages, fresh, max, signal } = asked;
  const reply = await send('POST', '/v1/chat/completions', {
    body: {
      model,
      messages,
      stream: true,
      stream_options: { include_usage: true },
      ...(max && { max_tokens: max }),
    },
    headers: { accept: 'text/event-stream', ...(fresh && { 'cache-control': 'no-cache' }) },
    signal,
  });
  const told = (name: string) => reply.headers.get(name);
  const id = told('x-request-id');
  yield {
    kind: 'told',
    told: { id, target: told('x-penstock-target'), cache: told('x-penstock-cache') },
  };
  if (!reply.body) return;
  let ended = false;
  for await (const { data } of events(reply.body)) {
    if (data === '[DONE]') {
      ended = true;
      break;
    }
    yield* piecesOf(data, id);
  }
  if (!ended) throw new Failure(0, 'cut_off', 'The stream broke off before the answer’s end.', id);
}

/** What one event of the stream says. */
export function* piecesOf(data: string, id: string | null = null): Generator<Piece> {
  const chunk = parsed(data, id);
  if (chunk.error) {
    const { code, message } = reasonOf(chunk);
    throw new Failure(0, code ?? 'stream_failed', message ?? 'The stream failed.', id);
  }
  for (const choice of chunk.choices ?? []) {
    if (choice.delta?.content) yield { kind: 'text', text: choice.delta.content };
    if (choice.finish_reason) yield { kind: 'end', reason: choice.finish_reason };
  }
  if (chunk.usage) yield { kind: 'tokens', tokens: chunk.usage };
}

function parsed(data: string, id: string | null): Chunk {
  try {
    const found: unknown = JSON.parse(data);
    if (typeof found === 'object' && found !== null) return found;
  } catch {
    // told below, as what is JSON but no object
  }
  throw new Failure(0, 'unreadable', 'An event of the stream is no JSON.', id);
}

/** A request's cost is in the ledger a moment after its end: asked for a few times. Null where it is not to be had. */
export async function costOf(id: string, signal: AbortSignal): Promise<string | null> {
  for (const wait of [150, 500, 1200, 2500]) {
    await pause(wait, signal);
    if (signal.aborted) return null;
    try {
      const path = `/admin/requests/${encodeURIComponent(id)}`;
      const { costNanos } = await get<{ costNanos: string | null }>(path, {}, signal);
      if (costNanos !== null && costNanos !== undefined) return String(costNanos);
    } catch (error) {
      if (!(error instanceof Failure) || error.status !== 404) return null;
    }
  }
  return null;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

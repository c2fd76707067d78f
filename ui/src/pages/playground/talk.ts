/** A conversation with the gateway: its turns, and the one that is being answered. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Failure } from '../../lib/api';
import { chat, costOf, type Message, type Piece, type Told, type Tokens } from '../../lib/chat';

export interface Turn {
  key: number;
  question: string;
  model: string;
  answer: string;
  state: 'waiting' | 'streaming' | 'done' | 'stopped' | 'failed';
  told: Told | null;
  tokens: Tokens | null;
  reason: string | null;
  /** Milliseconds until the first piece, and until the end. */
  first: number | null;
  took: number | null;
  cost: string | null | undefined;
  error: Failure | null;
}

export interface Wish {
  question: string;
  model: string;
  system: string;
  fresh: boolean;
  max: number | null;
}

export interface Talk {
  turns: Turn[];
  busy: boolean;
  ask: (wish: Wish) => void;
  stop: () => void;
  clear: () => void;
}

export function useTalk(): Talk {
  const [turns, setTurns] = useState<Turn[]>([]);
  const running = useRef<AbortController | null>(null);
  const page = useRef(new AbortController());
  const last = useRef(0);
  useEffect(() => {
    const here = page.current;
    return () => {
      running.current?.abort();
      here.abort();
    };
  }, []);

  const ask = async (wish: Wish) => {
    const mine = new AbortController();
    running.current = mine;
    const turn = fresh(++last.current, wish);
    const change = (changes: Partial<Turn> | ((before: Turn) => Partial<Turn>)) =>
      setTurns((all) =>
        all.map((one) =>
          one.key === turn.key
            ? { ...one, ...(typeof changes === 'function' ? changes(one) : changes) }
            : one,
        ),
      );
    setTurns([...turns, turn]);
    const begun = performance.now();
    const since = () => performance.now() - begun;
    let id: string | null = null;
    try {
      const messages = messagesOf(turns, wish);
      for await (const piece of chat({ ...wish, messages, signal: mine.signal })) {
        if (piece.kind === 'told') id = piece.told.id;
        change((before) => heard(before, piece, since()));
      }
      change({ state: 'done', took: since() });
    } catch (error) {
      if (mine.signal.aborted) change({ state: 'stopped', took: since() });
      else change({ state: 'failed', took: since(), error: failureOf(error) });
    }
    if (running.current === mine) running.current = null;
    if (id) change({ cost: await costOf(id, page.current.signal) });
  };

  return {
    turns,
    busy: turns.some((one) => one.state === 'waiting' || one.state === 'streaming'),
    ask: (wish) => void ask(wish),
    stop: () => running.current?.abort(),
    clear: () => {
      running.current?.abort();
      setTurns([]);
    },
  };
}

function fresh(key: number, { question, model }: Wish): Turn {
  const unknown = { told: null, tokens: null, reason: null, first: null, took: null, error: null };
  return { key, question, model, answer: '', state: 'waiting', cost: undefined, ...unknown };
}

/** What was said so far, without what came to nothing. */
function messagesOf(turns: Turn[], { system, question }: Wish): Message[] {
  const said = turns
    .filter((one) => one.answer)
    .flatMap((one): Message[] => [
      { role: 'user', content: one.question },
      { role: 'assistant', content: one.answer },
    ]);
  const first: Message[] = system.trim() ? [{ role: 'system', content: system }] : [];
  return [...first, ...said, { role: 'user', content: question }];
}

function heard(before: Turn, piece: Piece, at: number): Partial<Turn> {
  switch (piece.kind) {
    case 'told':
      return { told: piece.told };
    case 'text':
      return { answer: before.answer + piece.text, first: before.first ?? at, state: 'streaming' };
    case 'tokens':
      return { tokens: piece.tokens };
    default:
      return { reason: piece.reason };
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(0, 'broken', 'The connection broke before the answer’s end.');
}

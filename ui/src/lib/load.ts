/** Loads what a component shows: aborted when it leaves or asks for something else, again every so often if wished. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { Failure, address, get, type Query } from './api';

/** Milliseconds after which an answer is no longer waited for. */
const PATIENCE = 60_000;
const late = new Failure(0, 'late', 'The gateway did not answer within a minute.');

export interface Loaded<T> {
  /** The newest answer; while another query's is awaited, still the one before. */
  data: T | undefined;
  /** Why the newest request failed. */
  error: Failure | undefined;
  loading: boolean;
  /** Epoch milliseconds of the newest answer. */
  at: number | undefined;
  reload: () => void;
}

interface Begun {
  asked: Promise<unknown>;
  data?: unknown;
}
const begun = new Map<string, Begun>();

/** Asks for something before there is a component that shows it; done when it is there, or failed. */
export async function begin(url: string): Promise<void> {
  const one: Begun = { asked: get(url, undefined, AbortSignal.timeout(PATIENCE)) };
  begun.set(url, one);
  try {
    one.data = await one.asked;
  } catch {
    begun.delete(url); // whoever signs in must not be told what was refused before
  }
}

/** Drops what was begun: whoever signs in is told what is so then. */
export const forget = (): void => begun.clear();

/** What was begun, once. */
function take(url: string): Begun | undefined {
  const found = begun.get(url);
  begun.delete(url);
  return found;
}

interface State<T> {
  /** Of the data. */
  url?: string;
  data?: T | undefined;
  error?: Failure | undefined;
  loading: boolean;
  at?: number | undefined;
}

/** Without a path nothing is asked. `every` is in milliseconds, and counts while the page is visible. */
export function useLoad<T>(path: string | null, query: Query = {}, every = 0): Loaded<T> {
  const url = path === null ? null : address(path, query);
  const [state, setState] = useState<State<T>>(() => atFirst(url));
  const here = useRef(state.data !== undefined);
  const running = useRef<AbortController | null>(null);
  const asking = useRef<Promise<void> | null>(null);

  const ask = useCallback(async () => {
    if (url === null) return;
    running.current?.abort();
    const mine = new AbortController();
    running.current = mine;
    setState((before) => ({ ...before, loading: true }));
    try {
      const signal = AbortSignal.any([mine.signal, AbortSignal.timeout(PATIENCE)]);
      const data = await ((take(url)?.asked as Promise<T>) ?? get<T>(url, undefined, signal));
      if (!mine.signal.aborted) setState({ url, data, loading: false, at: Date.now() });
    } catch (error) {
      if (mine.signal.aborted) return;
      const failure = error instanceof Failure ? error : late;
      // The figures of another question would only mislead beside the failure of this one.
      setState((before) => ({ ...(before.url === url && before), error: failure, loading: false }));
    }
  }, [url]);
  const load = useCallback(() => {
    const mine = ask().finally(() => {
      if (asking.current === mine) asking.current = null;
    });
    asking.current = mine;
    return mine;
  }, [ask]);
  // What is slower than its pace is awaited: asked anew it would only come later.
  const again = useCallback(() => asking.current ?? load(), [load]);

  useEffect(() => {
    if (!here.current) void load();
    here.current = false;
    return () => running.current?.abort();
  }, [load]);
  useEvery(again, every);
  return {
    data: state.data,
    error: state.error,
    loading: state.loading,
    at: state.at,
    reload: () => void load(),
  };
}

function atFirst<T>(url: string | null): State<T> {
  const data = url === null ? undefined : (begun.get(url)?.data as T | undefined);
  if (url === null || data === undefined) return { loading: url !== null };
  take(url);
  return { url, data, loading: false, at: Date.now() };
}

/** Does something again, that long after it was done, while the page is visible; at once when it comes back late. */
function useEvery(doIt: () => Promise<void>, every: number): void {
  useEffect(() => {
    if (!every) return undefined;
    let last = Date.now();
    let timer = 0;
    let ended = false;
    const plan = () => {
      clearTimeout(timer);
      if (ended || document.hidden) return;
      timer = window.setTimeout(again, Math.max(0, last + every - Date.now()));
    };
    const again = async () => {
      last = Number.POSITIVE_INFINITY; // while it runs nothing else is planned
      await doIt();
      last = Date.now();
      plan();
    };
    const seen = () => {
      if (Number.isFinite(last)) plan();
    };
    plan();
    document.addEventListener('visibilitychange', seen);
    return () => {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, [doIt, every]);
}

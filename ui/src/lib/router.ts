/** Where the reader is: a page's path under the base, and the query that holds what they chose on it. */
import { computed, signal } from '@preact/signals';
import { BASE } from './base';

const here = signal(read());

function read(): { path: string; search: string } {
  const { pathname, search } = globalThis.location;
  const inner = pathname.startsWith(BASE) ? pathname.slice(BASE.length) : pathname;
  return { path: inner.replace(/\/+$/, '') || '/', search };
}

export const path = computed(() => here.value.path);
export const query = computed<Record<string, string>>(() =>
  Object.fromEntries(new URLSearchParams(here.value.search)),
);

export const href = (to: string): string => (to === '/' ? BASE : BASE + to);

/** Goes to a page: `/usage?by=hour`. */
export function go(to: string, replace = false): void {
  history[replace ? 'replaceState' : 'pushState'](null, '', href(to));
  here.value = read();
}

/** Changes what is chosen on this page; an empty value takes it out. A step of its own in the history only if asked. */
export function choose(changes: Record<string, string | null>, push = false): void {
  const next = new URLSearchParams(here.value.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  go(here.value.path + (text ? `?${text}` : ''), !push);
}

/** Follows the browser's own buttons, and links to pages without loading everything anew. */
export function listen(): void {
  addEventListener('popstate', () => (here.value = read()));
  document.addEventListener('click', (event) => {
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || link.target || link.hasAttribute('download') || event.defaultPrevented) return;
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return;
    const { origin, pathname, search } = link;
    if (origin !== location.origin || link.getAttribute('href')?.startsWith('#')) return;
    if (pathname !== BASE && !pathname.startsWith(`${BASE}/`)) return;
    event.preventDefault();
    go((pathname.slice(BASE.length) || '/') + search);
  });
}

/** What a pattern such as `/requests/:id` reads out of a path, or null where it does not fit. */
export function match(pattern: string, actual: string): Record<string, string> | null {
  const wanted = pattern.split('/');
  const found = actual.split('/');
  if (wanted.length !== found.length) return null;
  const named: Record<string, string> = {};
  for (const [at, part] of wanted.entries()) {
    const value = found[at] ?? '';
    if (part.startsWith(':')) {
      const text = decoded(value);
      if (!text) return null;
      named[part.slice(1)] = text;
    } else if (part !== value) return null;
  }
  return named;
}

function decoded(value: string): string | null {
  try {
    return decodeURIComponent(value);
  } catch {
    return null;
  }
}

/** Short notices of what was done, or not: they go by themselves, errors by the reader's hand. */
import { signal } from '@preact/signals';
import { Failure } from './api';

export interface Notice {
  id: number;
  text: string;
  bad: boolean;
}

export const notices = signal<Notice[]>([]);
let last = 0;

export function say(text: string, bad = false): void {
  const id = ++last;
  notices.value = [...notices.value.slice(-3), { id, text, bad }];
  if (!bad) setTimeout(() => dismiss(id), 6000);
}

/** Says why something failed; silent about a request that the page itself gave up. */
export function sayFailure(error: unknown): void {
  if (error instanceof Failure) say(`${error.message} (${error.code})`, true);
  else if (!(error instanceof DOMException && error.name === 'AbortError'))
    say(String(error), true);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((one) => one.id !== id);
}

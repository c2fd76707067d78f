/** Who is signed in: `undefined` until the gateway said so, `null` when nobody is. */
import { signal } from '@preact/signals';
import type { Session } from './types';

export const session = signal<Session | null | undefined>(undefined);

/** Whether a session ended by itself: it was revoked, or its time was over. */
export const ended = signal(false);

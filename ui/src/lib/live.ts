/** Whether pages ask again by themselves; the reader may stop it. */
import { signal } from '@preact/signals';

export const live = signal(true);

/** The pace of a card that lives, in milliseconds; 0 while it is stopped. */
export const pace = (seconds: number): number => (live.value ? seconds * 1000 : 0);

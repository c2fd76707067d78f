/** Words and colours for the states that the gateway names. */
import type { Tone } from '../components/figures';

export function statusTone(status: number | null): Tone {
  if (status === null) return 'plain';
  if (status >= 500) return 'bad';
  return status >= 400 ? 'warn' : 'good';
}

const STATES: Record<string, Tone> = {
  up: 'good',
  well: 'good',
  ready: 'good',
  active: 'good',
  settled: 'good',
  hit: 'accent',
  cooling: 'warn',
  full: 'warn',
  waking: 'warn',
  bad: 'bad',
  ejected: 'bad',
  failed: 'bad',
  revoked: 'bad',
};

export function stateTone(state: string): Tone {
  return STATES[state] ?? 'plain';
}

/** `insufficient_quota` as words: `insufficient quota`. */
export function words(code: string): string {
  return code.replaceAll('_', ' ');
}

/** `1 row`, `2 rows`. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

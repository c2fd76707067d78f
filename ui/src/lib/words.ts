/** Words and colours for the states that the gateway names. */
import type { Tone } from '../components/figures';
import type { Budget } from './types';

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

const NEAR = 0.8;

/** Of a budget: whether it is used up, will be before its period is over, or is near it. */
export function budgetTone({
  used_share,
  empty_at,
}: Pick<Budget, 'used_share' | 'empty_at'>): Tone {
  const used = used_share ?? 0;
  if (used >= 1 || empty_at) return 'bad';
  return used >= NEAR ? 'warn' : 'accent';
}

/** `insufficient_quota` as words: `insufficient quota`. */
export function words(code: string): string {
  return code.replaceAll('_', ' ');
}

/** `1 row`, `2 rows`. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

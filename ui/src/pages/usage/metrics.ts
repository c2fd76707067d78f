/** What can be drawn of usage. */
import { duration, percent, roundDollars, short } from '../../lib/format';
import type { SeriesRow } from '../../lib/types';

export interface Metric {
  key: string;
  text: string;
  format: (value: number) => string;
  /** Whether groups and periods add up, so that bars may stand on each other. */
  adds: boolean;
  /** Null where it is not known. */
  known: (row: SeriesRow) => number | null;
  value: (row: SeriesRow) => number;
}

type Known = (row: SeriesRow) => number | null | undefined;

function metric(
  key: string,
  text: string,
  format: Metric['format'],
  adds: boolean,
  of: Known,
): Metric {
  return { key, text, format, adds, known: (row) => of(row) ?? null, value: (row) => of(row) ?? 0 };
}

const SPEND = metric('cost', 'Spend', roundDollars, true, (row) => row.cost);
const ALL = [
  SPEND,
  metric('requests', 'Requests', short, true, (row) => row.requests),
  metric('tokens', 'Tokens', short, true, (row) => row.tokens),
  metric('errors', 'Errors', short, true, (row) => row.errors),
  metric('hits', 'Hit rate', percent, false, (row) => row.cachedShare),
  metric('free', 'Free share', percent, false, (row) => row.freeShare),
  metric('p50', 'Typical time (p50)', duration, false, (row) => row.latency?.p50_ms),
  metric('p95', 'Slow time (p95)', duration, false, (row) => row.latency?.p95_ms),
];

/** What an address asks for; spend where it asks for nothing that there is. */
export function metricOf(key: string | undefined): Metric {
  return ALL.find((one) => one.key === key) ?? SPEND;
}

export const METRIC_OPTIONS = ALL.map(({ key, text }) => ({ value: key, text }));

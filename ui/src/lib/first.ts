/** What a page asks for at its start, told apart from the page so that it can be asked before the page is there. */
import { days, rangeOf, type Range } from './range';
import type { By } from './series';
import { BASE } from './base';

export const SESSION = '/dashboard/session';

/** The overview's reports over a range of days. */
export function overviewOf(range: Range): { totals: string; series: string; by: By } {
  const span = `from=${range.from}&to=${range.to}`;
  const by = days(range) <= 2 ? 'hour' : days(range) > 92 ? 'month' : 'day';
  return {
    totals: `/admin/reports/overview?${span}`,
    series: `/admin/reports/series?${span}&by=${by}&of=model`,
    by,
  };
}

export function first({ pathname, search }: Pick<Location, 'pathname' | 'search'>): string[] {
  if (pathname.replace(/\/+$/, '') !== BASE) return [SESSION];
  const { totals } = overviewOf(rangeOf(Object.fromEntries(new URLSearchParams(search))));
  return [totals, SESSION];
}

/** What a page asks for at its start, told apart from the page so that it can be asked before the page is there. */
import { rangeOf } from './range';
import { BASE } from './base';

export const SESSION = '/dashboard/session';

/** The overview's reports over a range of days, in the order in which they are wanted. */
export function overviewOf(search: string): { totals: string; series: string } {
  const { from, to } = rangeOf(Object.fromEntries(new URLSearchParams(search)));
  const span = `from=${from}&to=${to}`;
  return {
    totals: `/admin/reports/overview?${span}`,
    series: `/admin/reports/series?${span}&by=day`,
  };
}

export function first({ pathname, search }: Pick<Location, 'pathname' | 'search'>): string[] {
  const overview = pathname.replace(/\/+$/, '') === BASE ? Object.values(overviewOf(search)) : [];
  return [SESSION, ...overview];
}

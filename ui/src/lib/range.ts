/** The span that a report covers: a name in the page's query, or two UTC days. */

export const RANGES = ['today', '7d', '30d', 'month', 'custom'] as const;
export type RangeName = (typeof RANGES)[number];

export const RANGE_TEXTS: Record<RangeName, string> = {
  today: 'Today',
  '7d': '7 days',
  '30d': '30 days',
  month: 'Month',
  custom: 'Custom',
};

export interface Range {
  name: RangeName;
  from: string;
  to: string;
}

const DAY = 86_400_000;
const ISO_DAY = /^\d{4}-\d{2}-\d{2}$/;

export const day = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** What a page's query says (`range`, `from`, `to`), as UTC days, both included. Nonsense reads as the default. */
export function rangeOf(
  query: Record<string, string>,
  fallback: RangeName = '30d',
  now = Date.now(),
): Range {
  const { from, to } = query;
  if (query['range'] === 'custom' && isDay(from) && isDay(to)) {
    return from <= to ? { name: 'custom', from, to } : { name: 'custom', from: to, to: from };
  }
  const name = RANGES.find((one) => one === query['range'] && one !== 'custom') ?? fallback;
  const today = day(now);
  const starts: Record<RangeName, string> = {
    today,
    '7d': day(now - 6 * DAY),
    '30d': day(now - 29 * DAY),
    month: `${today.slice(0, 7)}-01`,
    custom: day(now - 29 * DAY),
  };
  return { name, from: starts[name], to: today };
}

function isDay(text: string | undefined): text is string {
  if (text === undefined || !ISO_DAY.test(text)) return false;
  const at = Date.parse(text);
  return !Number.isNaN(at) && day(at) === text; // some engines read 31 February as 3 March
}

export function days(range: Range): number {
  return Math.round((Date.parse(range.to) - Date.parse(range.from)) / DAY) + 1;
}

/** The same range in the address of another page. */
export function inAddress({ name, from, to }: Range): string {
  return name === 'custom' ? `range=custom&from=${from}&to=${to}` : `range=${name}`;
}

/** Rows of a report as lines and bars: every period in its place, the largest groups by name, the rest together. */
import type { GroupKey, Groups, SeriesRow } from './types';

export type By = 'hour' | 'day' | 'month';

const HOUR = 3_600_000;
/** More periods than a chart can tell apart. */
const MOST = 9000;

/** Every period of a span as reports name them, whether or not anything happened in it; `to` is included. */
export function periods(from: string, to: string, by: By, now = Date.now()): string[] {
  const found: string[] = [];
  const end = Math.min(Date.parse(to) + 24 * HOUR, Math.max(now, Date.parse(from) + 1));
  const at = new Date(by === 'month' ? `${from.slice(0, 7)}-01` : from);
  while (at.getTime() < end && found.length < MOST) {
    found.push(nameOf(at, by));
    if (by === 'hour') at.setTime(at.getTime() + HOUR);
    else if (by === 'day') at.setTime(at.getTime() + 24 * HOUR);
    else at.setUTCMonth(at.getUTCMonth() + 1);
  }
  return found;
}

function nameOf(at: Date, by: By): string {
  const text = at.toISOString();
  if (by === 'hour') return `${text.slice(0, 13)}:00Z`;
  return by === 'day' ? text.slice(0, 10) : text.slice(0, 7);
}

export interface Lines {
  label: string;
  values: (number | null)[];
}

/** A value of each period and group. Groups beyond `most` are added up as `Others`. */
export function pivot(
  rows: SeriesRow[],
  places: string[],
  group: (row: SeriesRow) => string,
  value: (row: SeriesRow) => number,
  most = 7,
): Lines[] {
  const sums = new Map<string, number>();
  for (const row of rows) sums.set(group(row), (sums.get(group(row)) ?? 0) + value(row));
  const named = [...sums]
    .filter(([, sum]) => sum > 0)
    .toSorted(([, one], [, other]) => other - one)
    .map(([name]) => name);
  const kept = named.length > most + 1 ? named.slice(0, most) : named;
  const place = new Map(places.map((name, at) => [name, at]));
  const lines = new Map<string, number[]>(kept.map((name) => [name, places.map(() => 0)]));
  if (kept.length < named.length)
    lines.set(
      OTHERS,
      places.map(() => 0),
    );
  for (const row of rows) {
    const values = lines.get(group(row)) ?? lines.get(OTHERS);
    const at = place.get(row.period);
    if (values && at !== undefined) values[at] = (values[at] ?? 0) + value(row);
  }
  return [...lines].map(([label, values]) => ({ label, values }));
}

export const OTHERS = 'Others';

/** What a row's group is called: a model with its provider, a user with the tenant in words. */
export function groupName(row: Groups, of: string): string {
  switch (of) {
    case 'model':
      return (
        [row.provider, row.model?.replace(/^@cf\/[^/]+\//, '')].filter(Boolean).join('/') ||
        'no target'
      );
    case 'route':
      return row.route || 'no route';
    case 'user':
      return ownerName(row.user ?? '');
    case '':
      return 'All';
    default:
      return row[of as GroupKey] || '–';
  }
}

/** An owner as the ledger keeps it, `tenant/sub` with the tenant percent-encoded, as people write it. */
export function ownerName(owner: string): string {
  const { tenant, user } = ownerOf(owner);
  return tenant ? `${tenant}/${user}` : user || '–';
}

export function ownerOf(owner: string): { tenant: string; user: string } {
  const border = owner.indexOf('/');
  const tenant = border < 0 ? '' : owner.slice(0, border);
  const user = owner.slice(border + 1);
  try {
    return { tenant: decodeURIComponent(tenant), user };
  } catch {
    return { tenant, user };
  }
}

/** What narrows a report to a row's group, or null where nothing does. */
export function filterOf(row: Groups, of: string): Record<string, string> | null {
  if (of === 'user') {
    const { tenant, user } = ownerOf(row.user ?? '');
    return tenant && user ? { tenant, user } : null;
  }
  if (of === 'model') return row.model ? { model: row.model, provider: row.provider ?? '' } : null;
  const value = row[of as 'provider' | 'route' | 'service' | 'tenant'];
  return value ? { [of]: value } : null;
}

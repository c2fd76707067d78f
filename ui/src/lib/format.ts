/** Figures and times as people read them; what they are exactly stands in the title of whatever shows them. */

const NANO = 9;
const SIZES = ['', 'K', 'M', 'B', 'T'];

/** 1234567 becomes 1,234,567. Not by `Intl.NumberFormat`: the first of these takes longer to make than the overview to draw. */
export function count(value: number | bigint): string {
  const digits = typeof value === 'number' ? Number(value.toFixed(3)) : value;
  return String(digits).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

function compact(value: number): string {
  let size = value;
  let at = 0;
  while (Math.abs(size) >= 999.95 && at < SIZES.length - 1) {
    size /= 1000;
    at++;
  }
  return `${Number(size.toFixed(1))}${SIZES[at]}`;
}

/** 1234 stays as it is, 1234567 becomes 1.2M. */
export function short(value: number): string {
  return Math.abs(value) < 10_000 ? count(value) : compact(value);
}

/** Nano-dollars to every digit that is not an idle zero, two decimals at least: `$0.00508`. */
export function exactDollars(nanos: string | number | bigint): string {
  const value = big(nanos);
  const digits = (value < 0n ? -value : value).toString().padStart(NANO + 1, '0');
  const left = BigInt(digits.slice(0, -NANO));
  const right = digits.slice(-NANO).replace(/0+$/, '').padEnd(2, '0');
  return `${value < 0n ? '−' : ''}$${count(left)}.${right}`;
}

/** Nano-dollars as a glance needs them: cents from a dollar on, two telling digits below. */
export function dollars(nanos: string | number | bigint): string {
  const value = Number(big(nanos)) / 1e9;
  const size = Math.abs(value);
  const sign = value < 0 ? '−' : '';
  if (size === 0) return '$0.00';
  if (size >= 100_000) return `${sign}$${compact(size)}`;
  if (size >= 1000) return `${sign}$${count(Math.round(size))}`;
  const places = size >= 1 ? 2 : Math.min(NANO, Math.max(2, 1 - Math.floor(Math.log10(size))));
  return `${sign}$${size.toFixed(places)}`;
}

/** For axes, where a figure is a plain number of dollars. */
export function roundDollars(value: number): string {
  return dollars(BigInt(Math.round(value * 1e9)));
}

function big(nanos: string | number | bigint): bigint {
  if (typeof nanos === 'bigint') return nanos;
  try {
    return BigInt(typeof nanos === 'number' ? Math.round(nanos) : nanos);
  } catch {
    return 0n;
  }
}

/** 0.4217 as 42.2 %; what is there but small is never told as nothing, nor almost all as all. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return '–';
  const value = share * 100;
  if (value > 0 && value < 0.1) return '<0.1%';
  if (value < 100 && value > 99.9) return '>99.9%';
  return `${value.toFixed(value === 0 || Math.abs(value) >= 99.95 ? 0 : 1)}%`;
}

/** Milliseconds: `0.4 ms`, `240 ms`, `3.2 s`, `2 min 5 s`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  if (ms < 9.95) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${Number((ms / 1000).toFixed(1))} s`;
  const all = Math.round(ms / 1000);
  if (all < 3600) return parts(Math.floor(all / 60), 'min', all % 60, 's');
  const minutes = Math.round(all / 60);
  if (minutes < 48 * 60) return parts(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return parts(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function parts(more: number, unit: string, less: number, lower: string): string {
  return less ? `${more} ${unit} ${less} ${lower}` : `${more} ${unit}`;
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  const units = ['KB', 'MB', 'GB', 'TB'];
  let size = value / 1000;
  let at = 0;
  while (size >= 999.5 && at < units.length - 1) {
    size /= 1000;
    at++;
  }
  return `${size.toFixed(size < 9.95 ? 1 : 0)} ${units[at]}`;
}

const dates = new Map<string, Intl.DateTimeFormat>();

/** A chart names its days all alike, and to make what formats them takes far longer than to use it. */
function dated(when: Date, options: Intl.DateTimeFormatOptions): string {
  const key = JSON.stringify(options);
  const made = dates.get(key) ?? new Intl.DateTimeFormat('en-GB', options);
  dates.set(key, made);
  return made.format(when);
}

const DATE: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short' };
const CLOCK: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hour12: false };

/** An instant by the reader's clock: `27 Nov, 21:04`, to the second if wished, with its year unless that is this one. */
export function local(iso: string, zone?: string, now = new Date(), precise = false): string {
  const when = new Date(iso);
  if (Number.isNaN(when.getTime())) return iso;
  const year = when.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' as const };
  const clock = precise ? { ...CLOCK, second: '2-digit' as const } : CLOCK;
  const at = { ...(zone && { timeZone: zone }) };
  return dated(when, { ...DATE, ...year, ...clock, ...at });
}

/** The same in full and in UTC, as the ledger has it. */
export function utc(iso: string): string {
  const when = new Date(iso);
  if (Number.isNaN(when.getTime())) return iso;
  return `${when.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** How long ago, or until: `12 s ago`, `in 3 h`. */
export function ago(iso: string, now = Date.now()): string {
  const past = now - new Date(iso).getTime();
  if (!Number.isFinite(past)) return iso;
  const size = Math.abs(past);
  const steps: [number, string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ];
  const [unit, name] = steps.find(([one]) => size >= one) ?? [1000, 's'];
  const told = `${Math.floor(size / unit)} ${name}`;
  if (size < 1000) return 'now';
  return past >= 0 ? `${told} ago` : `in ${told}`;
}

/** A period's start, as reports name it: an hour, a UTC day or a month. An hour may be told without its day. */
export function period(text: string, bare = false): string {
  const when = new Date(text.length === 7 ? `${text}-01T00:00:00Z` : instant(text));
  if (Number.isNaN(when.getTime())) return text;
  const at = { timeZone: 'UTC' };
  if (text.length === 7) return dated(when, { ...at, month: 'short', year: 'numeric' });
  const clock = text.length > 10 ? CLOCK : {};
  const date = bare && text.length > 10 ? {} : DATE;
  return dated(when, { ...at, ...date, ...clock });
}

function instant(text: string): string {
  if (text.length === 10) return `${text}T00:00:00Z`;
  if (text.length === 13) return `${text}:00:00Z`;
  return /Z|[+-]\d\d:\d\d$/.test(text) ? text : `${text}Z`;
}

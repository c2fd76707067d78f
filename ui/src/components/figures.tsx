/** Figures in the text: short to read, exact on hover. */
import type { ComponentChildren } from 'preact';
import * as format from '../lib/format';

export function Money({ nanos }: { nanos: string | null | undefined }) {
  if (nanos === null || nanos === undefined) return <span class="muted">–</span>;
  return (
    <data class="number" value={nanos} title={`${format.exactDollars(nanos)} exactly`}>
      {format.dollars(nanos)}
    </data>
  );
}

export function Count({ value }: { value: number | null | undefined }) {
  if (value === null || value === undefined) return <span class="muted">–</span>;
  return (
    <data class="number" value={value} title={format.count(value)}>
      {format.short(value)}
    </data>
  );
}

export function Percent({ share }: { share: number | null | undefined }) {
  return <span class="number">{format.percent(share)}</span>;
}

export function Duration({ ms }: { ms: number | null | undefined }) {
  return (
    <span class="number" title={ms === null || ms === undefined ? undefined : `${ms} ms`}>
      {format.duration(ms)}
    </span>
  );
}

interface TimeProps {
  at: string | null | undefined;
  /** How long ago it was. */
  relative?: boolean;
  /** To the second. */
  precise?: boolean;
}

/** An instant by the reader's clock, in UTC on hover. */
export function Time({ at, relative = false, precise = false }: TimeProps) {
  if (!at) return <span class="muted">–</span>;
  return (
    <time class="number" dateTime={at} title={format.utc(at)}>
      {relative ? format.ago(at) : format.local(at, undefined, undefined, precise)}
    </time>
  );
}

export type Tone = 'good' | 'warn' | 'bad' | 'plain' | 'accent';

export function Badge({ tone = 'plain', children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

interface MeterProps {
  label: string;
  /** From 0 to 1; what is above is drawn as full and told as it is. */
  share: number | null;
  tone?: Tone;
  /** A second mark on the bar, such as how much of the period is over. */
  mark?: number | null;
}

export function Meter({ label, share, tone = 'accent', mark = null }: MeterProps) {
  const inside = Math.min(1, Math.max(0, share ?? 0));
  return (
    <div
      class={`meter ${tone}`}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(inside * 100)}
      aria-valuetext={format.percent(share)}
    >
      <span class="meter-fill" style={{ width: `${inside * 100}%` }} />
      {mark !== null && (
        <span class="meter-mark" style={{ left: `${Math.min(1, Math.max(0, mark)) * 100}%` }} />
      )}
    </div>
  );
}

interface StatProps {
  label: string;
  children: ComponentChildren;
  note?: ComponentChildren;
  hero?: boolean;
}

/** One figure with its name, by which the browser tells when it was painted; in a `<dl class="stats">`. */
export function Stat({ label, children, note, hero = false }: StatProps) {
  return (
    <div class={hero ? 'stat hero' : 'stat'}>
      <dt>{label}</dt>
      <dd>
        <span class="stat-value" elementtiming={label}>
          {children}
        </span>
        {note && <span class="stat-note">{note}</span>}
      </dd>
    </div>
  );
}

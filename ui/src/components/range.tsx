/** Which days a page tells of; the choice stands in the page's address. */
import { choose, query } from '../lib/router';
import { RANGES, RANGE_TEXTS, rangeOf, type Range, type RangeName } from '../lib/range';
import { Input, Segments } from './field';

export function useRange(fallback: RangeName = '30d'): Range {
  return rangeOf(query.value, fallback);
}

export function RangePicker({ fallback = '30d' }: { fallback?: RangeName }) {
  const range = useRange(fallback);
  const pick = (name: string) =>
    choose(
      name === 'custom'
        ? { range: name, from: range.from, to: range.to }
        : { range: name === fallback ? null : name, from: null, to: null },
    );
  const bound = (name: 'from' | 'to') => (text: string) => {
    if (text) choose({ range: 'custom', from: range.from, to: range.to, [name]: text });
  };
  return (
    <div class="range">
      <Segments
        label="Days (UTC)"
        value={range.name}
        options={RANGES.map((value) => ({ value, text: RANGE_TEXTS[value] }))}
        onChoose={pick}
      />
      {range.name === 'custom' && (
        <div class="range-days">
          <Input type="date" label="From (UTC)" quiet value={range.from} onText={bound('from')} />
          <span aria-hidden="true">–</span>
          <Input type="date" label="To (UTC)" quiet value={range.to} onText={bound('to')} />
        </div>
      )}
    </div>
  );
}

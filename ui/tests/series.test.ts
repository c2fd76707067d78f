import { describe, expect, test } from 'vitest';
import { cell, csv } from '../src/lib/csv';
import { groupName, ownerName, ownerOf, periods, pivot } from '../src/lib/series';
import type { SeriesRow } from '../src/lib/types';

const NOON = Date.parse('2026-11-27T12:30:00Z');

const row = (period: string, model: string, requests: number) =>
  ({ period, provider: 'p', model, requests }) as SeriesRow;

describe('periods', () => {
  test('are named as reports name them, up to now', () => {
    expect(periods('2026-11-25', '2026-11-27', 'day', NOON)).toEqual([
      '2026-11-25',
      '2026-11-26',
      '2026-11-27',
    ]);
    const hours = periods('2026-11-27', '2026-11-27', 'hour', NOON);
    expect(hours).toHaveLength(13);
    expect(hours.at(-1)).toBe('2026-11-27T12:00Z');
    expect(periods('2025-12-31', '2026-02-01', 'month', NOON)).toEqual([
      '2025-12',
      '2026-01',
      '2026-02',
    ]);
  });

  test('of a span that has not begun there is the first', () => {
    expect(periods('2027-01-01', '2027-01-09', 'day', NOON)).toEqual(['2027-01-01']);
  });
});

describe('pivot', () => {
  test('fills gaps, and adds up what is beyond the largest', () => {
    const rows = ['a', 'b', 'c', 'd'].map((name, at) => row('2026-11-25', name, 10 - at));
    const lines = pivot(
      [...rows, row('2026-11-27', 'a', 5)],
      ['2026-11-25', '2026-11-26', '2026-11-27'],
      (one) => groupName(one, 'model'),
      (one) => one.requests,
      2,
    );
    expect(lines).toEqual([
      { label: 'p/a', values: [10, 0, 5] },
      { label: 'p/b', values: [9, 0, 0] },
      { label: 'Others', values: [15, 0, 0] },
    ]);
  });

  test('the last two are not put together: that would save no line', () => {
    const rows = ['a', 'b', 'c'].map((name) => row('x', name, 1));
    const lines = pivot(
      rows,
      ['x'],
      (one) => one.model ?? '',
      (one) => one.requests,
      2,
    );
    expect(lines.map((one) => one.label)).toEqual(['a', 'b', 'c']);
  });
});

test('a model is called as its target is', () => {
  const found = { provider: 'cloudflare', model: '@cf/ibm-granite/granite-4.0-h-micro' };
  expect(groupName(found, 'model')).toBe('cloudflare/granite-4.0-h-micro');
});

test('owners are shown as people write them', () => {
  expect(ownerName('evil%22%3E/<img src=x>')).toBe('evil">/<img src=x>');
  expect(ownerOf('a%2Fb/c/d')).toEqual({ tenant: 'a/b', user: 'c/d' });
  expect(ownerOf('%zz/x')).toEqual({ tenant: '%zz', user: 'x' });
});

test('cells of CSV are quoted, and never formulas', () => {
  expect(cell('a "b", c')).toBe('"a ""b"", c"');
  expect(cell('=1+1')).toBe("'=1+1");
  expect(cell(-1)).toBe('-1');
  expect(
    csv([
      { a: 1, b: null },
      { a: 2, c: 'x' },
    ]),
  ).toBe('a,b,c\r\n1,,\r\n2,,x\r\n');
});

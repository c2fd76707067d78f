import { describe, expect, test } from 'vitest';
import * as format from '../src/lib/format';

describe('dollars', () => {
  test.each([
    ['0', '$0.00', '$0.00'],
    ['1', '$0.000000001', '$0.000000001'],
    ['5080', '$0.0000051', '$0.00000508'],
    ['12345678', '$0.012', '$0.012345678'],
    ['123456789', '$0.12', '$0.123456789'],
    ['994999999', '$0.99', '$0.994999999'],
    ['996000000', '$1.00', '$0.996'],
    ['1234567890', '$1.23', '$1.23456789'],
    ['1234567890123', '$1,235', '$1,234.567890123'],
    ['123456789012345678', '$123.5M', '$123,456,789.012345678'],
    ['-5080', '−$0.0000051', '−$0.00000508'],
  ])('%s nano-dollars', (nanos, short, exact) => {
    expect(format.dollars(nanos)).toBe(short);
    expect(format.exactDollars(nanos)).toBe(exact);
  });

  test('what no double can hold is still exact', () => {
    expect(format.exactDollars('9007199254740993000000001')).toBe(
      '$9,007,199,254,740,993.000000001',
    );
  });

  test('what is no number of nano-dollars reads as nothing', () => {
    expect(format.dollars('soon')).toBe('$0.00');
  });
});

test.each([
  [null, '–'],
  [0, '0%'],
  [0.0004, '<0.1%'],
  [0.4217, '42.2%'],
  [0.9996, '>99.9%'],
  [1, '100%'],
  [1.5, '150%'],
])('the share %s', (share, told) => expect(format.percent(share)).toBe(told));

test.each([
  [null, '–'],
  [0.42, '0.4 ms'],
  [12.4, '12 ms'],
  [999.6, '1 s'],
  [3210, '3.2 s'],
  [59_960, '1 min'],
  [125_000, '2 min 5 s'],
  [3_600_000, '1 h'],
  [90_000_000, '25 h'],
  [180_000_000, '2 d 2 h'],
])('%s milliseconds', (ms, told) => expect(format.duration(ms)).toBe(told));

test.each([
  [999, '999 B'],
  [1000, '1.0 KB'],
  [999_600, '1.0 MB'],
  [12_345_678, '12 MB'],
])('%s bytes', (size, told) => expect(format.bytes(size)).toBe(told));

test.each([
  [0, '0', '0'],
  [999, '999', '999'],
  [0.12345, '0.123', '0.123'],
  [1234.5678, '1,234.568', '1,234.568'],
  [-9999, '-9,999', '-9,999'],
  [12_345, '12,345', '12.3K'],
  [-12_345, '-12,345', '-12.3K'],
  [999_949, '999,949', '999.9K'],
  [999_951, '999,951', '1M'],
  [1_200_000, '1,200,000', '1.2M'],
  [45_600_000_000, '45,600,000,000', '45.6B'],
  [1_234_567_890_123_456, '1,234,567,890,123,456', '1234.6T'],
])('the count %s, and short from ten thousand on', (value, told, short) => {
  expect(format.count(value)).toBe(told);
  expect(format.short(value)).toBe(short);
});

test('a count that no double can hold is still exact', () => {
  expect(format.count(9_007_199_254_740_993n)).toBe('9,007,199,254,740,993');
});

describe('times', () => {
  const now = new Date('2026-11-27T12:00:00Z');

  test('an instant stands in the reader’s zone, and in UTC', () => {
    expect(format.local('2026-11-27T20:04:05Z', 'Asia/Tokyo', now)).toBe('28 Nov, 05:04');
    expect(format.local('2025-11-27T20:04:05Z', 'UTC', now)).toBe('27 Nov 2025, 20:04');
    expect(format.local('2026-11-27T20:04:05Z', 'UTC', now, true)).toBe('27 Nov, 20:04:05');
    expect(format.utc('2026-11-27T20:04:05.678Z')).toBe('2026-11-27 20:04:05 UTC');
  });

  test('what is no time is shown as it came', () => {
    expect(format.local('yesterday')).toBe('yesterday');
    expect(format.utc('<b>')).toBe('<b>');
  });

  test('ago, and until', () => {
    expect(format.ago('2026-11-27T11:59:48Z', now.getTime())).toBe('12 s ago');
    expect(format.ago('2026-11-27T15:00:00Z', now.getTime())).toBe('in 3 h');
    expect(format.ago('2026-11-27T12:00:00Z', now.getTime())).toBe('now');
  });

  test('periods of reports are UTC, whatever the reader’s zone', () => {
    expect(format.period('2026-11')).toBe('Nov 2026');
    expect(format.period('2026-11-27')).toBe('27 Nov');
    expect(format.period('2026-11-27T05:00Z')).toBe('27 Nov, 05:00');
  });
});

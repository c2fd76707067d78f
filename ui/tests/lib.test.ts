import { expect, test } from 'vitest';
import { address, reasonOf } from '../src/lib/api';
import { first } from '../src/lib/first';
import { days, rangeOf } from '../src/lib/range';

const NOON = Date.parse('2026-11-27T12:00:00Z');

test('either form of error tells its code and its message', () => {
  const envelope = {
    error: { message: 'No.', type: 'invalid_request_error', param: null, code: 'invalid_field' },
  };
  expect(reasonOf(envelope)).toEqual({ code: 'invalid_field', message: 'No.' });
  const problem = {
    title: 'Unauthorized',
    status: 401,
    detail: 'Send it.',
    code: 'invalid_token',
    error: 'Invalid token',
  };
  expect(reasonOf(problem)).toEqual({ code: 'invalid_token', message: 'Send it.' });
  for (const odd of [null, 'text', [], { error: 7 }]) {
    expect(reasonOf(odd)).toEqual({ code: null, message: null });
  }
});

test('a query holds what is set, escaped', () => {
  expect(address('/a', { one: '', two: null, three: undefined })).toBe('/a');
  expect(address('/a', { user: 'x&y=z', limit: 0 })).toBe('/a?user=x%26y%3Dz&limit=0');
});

test('ranges are UTC days, both included', () => {
  expect(rangeOf({}, '30d', NOON)).toEqual({ name: '30d', from: '2026-10-29', to: '2026-11-27' });
  expect(days(rangeOf({ range: '7d' }, '30d', NOON))).toBe(7);
  expect(rangeOf({ range: 'month' }, '30d', NOON).from).toBe('2026-11-01');
  expect(rangeOf({ range: 'today' }, '30d', NOON).from).toBe('2026-11-27');
});

test('a range in the address may be the wrong way round, or nonsense', () => {
  const turned = { range: 'custom', from: '2026-11-05', to: '2026-11-01' };
  expect(rangeOf(turned, '30d', NOON)).toEqual({
    name: 'custom',
    from: '2026-11-01',
    to: '2026-11-05',
  });
  for (const from of ['', '2026-02-31x', '2026-02-31', '2026-13-01', '<script>']) {
    expect(rangeOf({ range: 'custom', from, to: '2026-11-01' }, '7d', NOON).name).toBe('7d');
  }
});

test('the first requests are of the page that is opened', () => {
  expect(first({ pathname: '/dashboard/keys', search: '' })).toEqual([]);
  expect(first({ pathname: '/dashboard/', search: '?range=7d' })).toHaveLength(1);
});

/** What a page asks for at its start, told apart from the page so that it can be asked before the page is there. */
import { BASE } from './base';
import { rangeOf, type Range } from './range';

/** The address of the overview's figures over a range of days. */
export const figuresOf = ({ from, to }: Range): string =>
  `/admin/reports/overview?from=${from}&to=${to}`;

/** Addresses of what the page at a place shows first. */
export function first({ pathname, search }: Pick<Location, 'pathname' | 'search'>): string[] {
  if (pathname.replace(/\/+$/, '') !== BASE) return [];
  return [figuresOf(rangeOf(Object.fromEntries(new URLSearchParams(search))))];
}

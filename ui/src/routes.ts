/** The pages. A page is a file in pages/ whose default export is its component, and a line here. */
import type { ComponentType } from 'preact';
import type { IconName } from './components/icon';
import { match } from './lib/router';
import Overview from './pages/overview';

export type Params = Record<string, string>;
export type PageComponent = ComponentType<{ params: Params }>;

export interface Page {
  /** `/requests/:id`: a part with a colon is handed to the page by that name. */
  path: string;
  title: string;
  /** Where it stands in the navigation; without it only links lead there. */
  nav?: { group: 'Observe' | 'Control' | 'Try'; icon: IconName };
  /** Fetched when it is first opened; the overview comes with the application. */
  load: () => PageComponent | Promise<{ default: PageComponent }>;
}

export const pages: Page[] = [
  {
    path: '/',
    title: 'Overview',
    nav: { group: 'Observe', icon: 'overview' },
    load: () => Overview,
  },
];

/** The page at a path, and what it reads out of it. */
export function find(path: string): { page: Page; params: Params } | null {
  for (const page of pages) {
    const params = match(page.path, path);
    if (params) return { page, params };
  }
  return null;
}

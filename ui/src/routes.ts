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
  {
    path: '/usage',
    title: 'Usage',
    nav: { group: 'Observe', icon: 'usage' },
    load: () => import('./pages/usage'),
  },
  {
    path: '/requests',
    title: 'Requests',
    nav: { group: 'Observe', icon: 'requests' },
    load: () => import('./pages/requests'),
  },
  { path: '/requests/:id', title: 'Request', load: () => import('./pages/request') },
  {
    path: '/services',
    title: 'Services',
    nav: { group: 'Observe', icon: 'services' },
    load: () => import('./pages/services'),
  },
  {
    path: '/documents',
    title: 'Documents',
    nav: { group: 'Observe', icon: 'documents' },
    load: () => import('./pages/documents'),
  },
  {
    path: '/budgets',
    title: 'Budgets and limits',
    nav: { group: 'Control', icon: 'budgets' },
    load: () => import('./pages/budgets'),
  },
  {
    path: '/keys',
    title: 'Keys',
    nav: { group: 'Control', icon: 'keys' },
    load: () => import('./pages/keys'),
  },
  {
    path: '/routing',
    title: 'Routing',
    nav: { group: 'Control', icon: 'routing' },
    load: () => import('./pages/routing'),
  },
  {
    path: '/cache',
    title: 'Cache',
    nav: { group: 'Control', icon: 'cache' },
    load: () => import('./pages/cache'),
  },
  {
    path: '/playground',
    title: 'Playground',
    nav: { group: 'Try', icon: 'playground' },
    load: () => import('./pages/playground'),
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

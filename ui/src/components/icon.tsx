/** Line icons, drawn here so that nothing is fetched. They decorate: the words beside them carry the meaning. */

const PATHS = {
  overview: 'M3 13a9 9 0 0 1 18 0M12 13l4-4M5 19h14',
  usage: 'M4 20V10M10 20V4M16 20v-7M21 20H3',
  requests: 'M4 6h16M4 12h16M4 18h10',
  budgets:
    'M12 3v18M16.5 7.5C16 6 14.2 5.3 12 5.3c-2.600 0-4.500 1-4.500 3.200 0 4.500 9.500 2.200 9.500 7 0 2.200-2.100 3.300-5 3.300-2.600 0-4.600-1-5-3',
  keys: 'M14.500 9.500a4.500 4.500 0 1 0-4.200 4.500L12 16h2v2h2v2h4v-3.500l-5.800-5.800',
  documents: 'M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6',
  services: 'M4 5h16v5H4zM4 14h16v5H4zM8 7.500h.01M8 16.500h.01',
  routing: 'M6 4v7a4 4 0 0 0 4 4h8M15 12l3 3-3 3M6 15v5',
  cache: 'M13 3 5 14h6l-1 7 8-11h-6z',
  playground: 'M4 5h16v11H9l-5 4zM8 9h8M8 12h5',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600 19 19M5 19l1.400-1.400M17.600 6.400 19 5',
  moon: 'M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z',
  system: 'M3 5h18v11H3zM9 20h6M12 16v4',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6 6 18',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  check: 'M5 13l4 4L19 7',
  alert: 'M12 4 2.500 20h19zM12 10v4M12 17h.01',
  refresh: 'M20 11a8 8 0 0 0-14.500-4L4 9M4 4v5h5M4 13a8 8 0 0 0 14.500 4l1.500-2M20 20v-5h-5',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  external: 'M14 5h5v5M19 5l-9 9M11 5H5v14h14v-6',
  up: 'M6 14l6-6 6 6',
  down: 'M6 10l6 6 6-6',
  stop: 'M7 7h10v10H7z',
  send: 'M4 12l16-8-6 16-3-7z',
  plus: 'M12 5v14M5 12h14',
  trash: 'M5 7h14M10 4h4M7 7l1 13h8l1-13M10 11v5M14 11v5',
  search: 'M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15.500 15.500 20 20',
  leave: 'M14 4H6v16h8M11 12h9M17 9l3 3-3 3',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** What stands around every page: navigation, theme, who is signed in, notices; and the page itself. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Guard } from './components/guard';
import { Icon, type IconName } from './components/icon';
import { PageHead } from './components/page';
import { ErrorNote, Skeleton } from './components/states';
import { Toasts } from './components/toasts';
import { Failure, signOut } from './lib/api';
import { href, path } from './lib/router';
import { session } from './lib/session';
import { THEMES, theme, type Theme } from './lib/theme';
import { sayFailure } from './lib/toast';
import { find, pages, type Page, type PageComponent, type Params } from './routes';
import { SignIn } from './sign-in';

export function Shell() {
  if (session.value === null) {
    return (
      <>
        <SignIn />
        <Toasts />
      </>
    );
  }
  return <Inside />;
}

function Inside() {
  const [open, setOpen] = useState(false);
  const found = find(path.value);
  const main = useRef<HTMLElement>(null);
  const at = path.value;
  const before = useRef(at);
  const title = found?.page.title ?? 'Not found';

  useEffect(() => {
    document.title = `${title} · Penstock`;
    setOpen(false);
    if (before.current === at) return;
    before.current = at;
    main.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [at, title]);

  return (
    <div class="shell">
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <Top open={open} setOpen={setOpen} />
      <Side open={open} close={() => setOpen(false)} current={found?.page} />
      <main id="main" ref={main} tabIndex={-1} aria-label={title}>
        {found ? (
          <Opened key={found.page.path} page={found.page} params={found.params} />
        ) : (
          <Nowhere />
        )}
      </main>
      <Toasts />
    </div>
  );
}

function Nowhere() {
  return (
    <>
      <PageHead title="There is no such page" />
      <a class="button" href={href('/')}>
        Go to the overview
      </a>
    </>
  );
}

function Opened({ page, params }: { page: Page; params: Params }) {
  const [shown, setShown] = useState<{ Body: PageComponent } | null>(() => {
    const loaded = page.load();
    return loaded instanceof Promise ? null : { Body: loaded };
  });
  const [error, setError] = useState<Failure | null>(null);
  useEffect(() => {
    const loaded = page.load();
    if (!(loaded instanceof Promise)) return undefined;
    let gone = false;
    loaded.then(
      ({ default: Body }) => !gone && setShown({ Body }),
      () => !gone && setError(new Failure(0, 'page_missing', 'This page could not be fetched.')),
    );
    return () => {
      gone = true;
    };
  }, [page]);
  if (error) return <ErrorNote error={error} retry={() => location.reload()} />;
  return shown ? (
    <Guard of={params}>
      <shown.Body params={params} />
    </Guard>
  ) : (
    <Skeleton lines={6} />
  );
}

function Top({ open, setOpen }: { open: boolean; setOpen: (open: boolean) => void }) {
  return (
    <header class="top">
      <button
        type="button"
        class="button quiet square menu"
        aria-label="Navigation"
        aria-expanded={open}
        aria-controls="side"
        onClick={() => setOpen(!open)}
      >
        <Icon name={open ? 'close' : 'menu'} size={20} />
      </button>
      <a class="brand" href={href('/')}>
        <Mark />
        Penstock
      </a>
    </header>
  );
}

export function Mark() {
  return (
    <svg class="mark" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M8 23V14a6 6 0 0 1 6-6h4a6 6 0 0 1 0 12h-5" />
    </svg>
  );
}

const GROUPS = ['Observe', 'Control', 'Try'] as const;

interface SideProps {
  open: boolean;
  close: () => void;
  current: Page | undefined;
}

function Side({ open, close, current }: SideProps) {
  useEffect(() => {
    if (!open) return undefined;
    const left = (event: KeyboardEvent) => {
      if (event.key === 'Escape') close();
    };
    addEventListener('keydown', left);
    return () => removeEventListener('keydown', left);
  }, [open, close]);
  return (
    <>
      {open && (
        <button type="button" class="veil" aria-label="Close the navigation" onClick={close} />
      )}
      <aside class={open ? 'side open' : 'side'} id="side" aria-label="Navigation and settings">
        <nav aria-label="Pages">
          {GROUPS.map((group) => (
            <Group key={group} name={group} current={current} close={close} />
          ))}
        </nav>
        <div class="side-foot">
          <ThemePicker />
          <Who />
        </div>
      </aside>
    </>
  );
}

interface GroupProps {
  name: (typeof GROUPS)[number];
  current: Page | undefined;
  close: () => void;
}

function Group({ name, current, close }: GroupProps) {
  const inside = pages.filter((one) => one.nav?.group === name);
  if (!inside.length) return null;
  const within = (page: Page) =>
    page === current || (page.path !== '/' && current?.path.startsWith(`${page.path}/`));
  return (
    <>
      <p class="group" id={`group-${name}`}>
        {name}
      </p>
      <ul aria-labelledby={`group-${name}`}>
        {inside.map((page) => (
          <li key={page.path}>
            <a
              href={href(page.path)}
              aria-current={within(page) ? 'page' : undefined}
              onClick={() => page === current && close()}
            >
              {page.nav && <Icon name={page.nav.icon} />}
              {page.title}
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}

const THEME_ICONS: Record<Theme, IconName> = { system: 'system', light: 'sun', dark: 'moon' };
const THEME_TEXTS: Record<Theme, string> = {
  system: 'As the system',
  light: 'Light',
  dark: 'Dark',
};

function ThemePicker() {
  return (
    <fieldset class="segments icons">
      <legend class="hidden">Theme</legend>
      {THEMES.map((one) => (
        <label key={one} title={THEME_TEXTS[one]}>
          <input
            type="radio"
            name="theme"
            value={one}
            checked={theme.value === one}
            onChange={() => (theme.value = one)}
          />
          <span>
            <Icon name={THEME_ICONS[one]} size={15} />
            <span class="hidden">{THEME_TEXTS[one]}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

function Who() {
  const caller = session.value?.caller;
  if (!caller) return null;
  return (
    <div class="who">
      <div class="who-text" title={`${caller.sub} of ${caller.tenant}`}>
        <span>{caller.sub}</span>
        <span class="note">{caller.tenant}</span>
      </div>
      <button
        type="button"
        class="button quiet square"
        aria-label="Sign out"
        title="Sign out"
        onClick={() => void signOut().catch(sayFailure)}
      >
        <Icon name="leave" />
      </button>
    </div>
  );
}

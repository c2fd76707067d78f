/** How a part of a page looks while it has nothing to show. */
import type { ComponentChildren } from 'preact';
import type { Failure } from '../lib/api';
import { Icon, type IconName } from './icon';

export function Skeleton({ lines = 4 }: { lines?: number }) {
  return (
    <div class="skeleton" aria-busy="true">
      <span class="hidden">Loading…</span>
      {Array.from({ length: lines }, (_, at) => (
        <span class="bone" key={at} aria-hidden="true" />
      ))}
    </div>
  );
}

interface EmptyProps {
  title: string;
  children?: ComponentChildren;
  icon?: IconName;
}

export function Empty({ title, children, icon = 'search' }: EmptyProps) {
  return (
    <div class="empty">
      <Icon name={icon} size={24} />
      <p class="empty-title">{title}</p>
      {children && <p class="note">{children}</p>}
    </div>
  );
}

interface ErrorNoteProps {
  error: Failure;
  retry?: (() => void) | undefined;
  /** Whether what is shown below is from before the failure. */
  stale?: boolean;
}

export function ErrorNote({ error, retry, stale = false }: ErrorNoteProps) {
  return (
    <div class="error" role="alert">
      <Icon name="alert" />
      <div class="error-text">
        <p>{error.message}</p>
        <p class="note">
          <code>{error.code}</code>
          {error.request && (
            <>
              {' · request '}
              <code>{error.request}</code>
            </>
          )}
          {stale && ' · what stands below is from before'}
        </p>
      </div>
      {retry && (
        <button type="button" class="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

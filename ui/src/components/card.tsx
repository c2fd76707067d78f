/** A titled part of a page that stands by itself: its own loading, empty and failed state. */
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import type { Loaded } from '../lib/load';
import { Guard } from './guard';
import { ErrorNote, Skeleton } from './states';

interface CardProps {
  title: string;
  /** A line under the title. */
  note?: ComponentChildren;
  /** Controls at the title's right. */
  actions?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}

export function Card({ title, note, actions, class: extra = '', children }: CardProps) {
  const id = useId();
  return (
    <section class={`card ${extra}`} aria-labelledby={id}>
      <header class="card-head">
        <div>
          <h2 id={id}>{title}</h2>
          {note && <p class="note">{note}</p>}
        </div>
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

interface ShownProps<T> {
  of: Loaded<T>;
  /** Placeholder's height in lines while nothing is there yet. */
  lines?: number;
  children: (data: T) => ComponentChildren;
}

/** What was loaded; before that a placeholder, and where it failed why. Old data stays, with the failure above it. */
export function Shown<T>({ of, lines = 4, children }: ShownProps<T>) {
  const { data, error, reload } = of;
  return (
    <>
      {error && <ErrorNote error={error} retry={reload} stale={data !== undefined} />}
      {data !== undefined ? (
        <Guard of={data}>
          <Body data={data} draw={children} />
        </Guard>
      ) : (
        !error && <Skeleton lines={lines} />
      )}
    </>
  );
}

/** A component of its own, so that what it throws is the guard's. */
function Body<T>({ data, draw }: { data: T; draw: (data: T) => ComponentChildren }) {
  return <>{draw(data)}</>;
}

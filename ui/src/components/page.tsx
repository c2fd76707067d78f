/** A page's title, a line about it, and what is chosen for the whole of it. */
import type { ComponentChildren } from 'preact';

interface PageHeadProps {
  title: string;
  note?: ComponentChildren;
  children?: ComponentChildren;
}

export function PageHead({ title, note, children }: PageHeadProps) {
  return (
    <header class="page-head">
      <div>
        <h1>{title}</h1>
        {note && <p class="note">{note}</p>}
      </div>
      {children && <div class="page-tools">{children}</div>}
    </header>
  );
}

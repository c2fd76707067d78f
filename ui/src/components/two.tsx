/** Two lines in a cell: what it is, and smaller what it belongs to; each cut where it is too long, and whole on hover. */
import type { ComponentChildren } from 'preact';

interface TwoProps {
  main: string | null | undefined;
  sub?: ComponentChildren;
  title?: string;
}

export function Two({ main, sub, title }: TwoProps) {
  if (!main) return <span class="muted">–</span>;
  return (
    <span class="two" title={title ?? main}>
      <bdi>{main}</bdi>
      {sub && <small class="muted">{sub}</small>}
    </span>
  );
}

/** Names and values of one thing; what is not known is left out. */
import type { ComponentChildren } from 'preact';

export function Facts({ facts }: { facts: Record<string, ComponentChildren> }) {
  return (
    <dl class="known">
      {Object.entries(facts).map(([name, value]) =>
        value === null || value === undefined || value === '' ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

/** Asks again for what a page shows. */
import type { Loaded } from '../lib/load';
import { Icon } from './icon';

export function Refresh({ of }: { of: Pick<Loaded<unknown>, 'reload' | 'loading'> }) {
  return (
    <button type="button" class="button" onClick={of.reload} disabled={of.loading}>
      <Icon name="refresh" size={15} /> Refresh
    </button>
  );
}

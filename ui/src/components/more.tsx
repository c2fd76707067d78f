/** Under a list: the button for its next page, and why that did not come. */
import type { Listed, Paged } from '../lib/list';
import { counted } from '../lib/words';
import { ErrorNote } from './states';

interface MoreProps<Page extends Paged> {
  of: Listed<Page>;
  /** How many rows stand above. */
  shown: number;
  /** What each is. */
  what: string;
}

export function More<Page extends Paged>({ of, shown, what }: MoreProps<Page>) {
  if (of.first.data === undefined) return null;
  return (
    <div class="more">
      {of.error && <ErrorNote error={of.error} retry={of.more} />}
      <p class="note" role="status">
        {of.loading ? 'Loading…' : `${counted(shown, what)}${of.further ? ' so far' : ''}`}
      </p>
      {of.further && (
        <button type="button" class="button" onClick={of.more} disabled={of.loading}>
          Load more
        </button>
      )}
    </div>
  );
}

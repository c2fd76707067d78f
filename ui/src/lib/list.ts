/** A list that comes page by page: the newest first, and the next by the cursor that came with the one before. */
import { useRef, useState } from 'preact/hooks';
import { Failure, get, type Query } from './api';
import { useLoad, type Loaded } from './load';

export interface Paged {
  next: string | null;
}

interface Further<Page> {
  /** The first page that these follow: with another one they count no more. */
  of: Page | undefined;
  pages: Page[];
  loading: boolean;
  error: Failure | undefined;
}

export interface Listed<Page> {
  /** The newest page, as any other that is loaded; `reload` begins anew. */
  first: Loaded<Page>;
  pages: Page[];
  /** Whether there may be more; `more` asks for them. */
  further: boolean;
  loading: boolean;
  error: Failure | undefined;
  more: () => void;
}

export function useList<Page extends Paged>(path: string, query: Query = {}): Listed<Page> {
  const first = useLoad<Page>(path, query);
  const newest = useRef(first.data);
  newest.current = first.data;
  const [state, setState] = useState<Further<Page>>(none<Page>(undefined));
  const after = state.of === first.data ? state : none(first.data);
  const pages = first.data ? [first.data, ...after.pages] : [];
  const next = pages.at(-1)?.next ?? null;

  const more = async () => {
    const { of } = after;
    if (next === null || after.loading) return;
    setState({ ...after, loading: true, error: undefined });
    try {
      const page = await get<Page>(path, { ...query, before: next });
      if (newest.current === of)
        setState({ of, pages: [...after.pages, page], loading: false, error: undefined });
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure(0, 'broken', String(error));
      if (newest.current === of) setState({ ...after, loading: false, error: failure });
    }
  };
  return {
    first,
    pages,
    further: next !== null,
    loading: after.loading,
    error: after.error,
    more: () => void more(),
  };
}

function none<Page>(of: Page | undefined): Further<Page> {
  return { of, pages: [], loading: false, error: undefined };
}

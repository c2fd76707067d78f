/** Narrows what a page shows; what is chosen stands in the page's address. */
import { useEffect, useState } from 'preact/hooks';
import { choose, query } from '../lib/router';
import { Icon } from './icon';
import { Input, Select, type Option } from './field';

export interface Filter {
  name: string;
  label: string;
  /** A list to choose from; else a text. */
  options?: Option[] | undefined;
  /** Offered while a text is typed. */
  suggestions?: string[] | undefined;
}

/** The values that are chosen, of the filters named. */
export function useFilters(names: readonly string[]): Record<string, string> {
  const chosen = query.value;
  return Object.fromEntries(names.flatMap((name) => (chosen[name] ? [[name, chosen[name]]] : [])));
}

export function Filters({ filters }: { filters: Filter[] }) {
  const chosen = useFilters(filters.map((one) => one.name));
  const some = Object.keys(chosen).length > 0;
  const clear = () => choose(Object.fromEntries(filters.map((one) => [one.name, null])));
  return (
    <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      {filters.map((one) =>
        one.options ? (
          <Select
            key={one.name}
            label={one.label}
            value={chosen[one.name] ?? ''}
            options={[{ value: '', text: 'All' }, ...one.options]}
            onChoose={(value) => choose({ [one.name]: value })}
          />
        ) : (
          <Text key={one.name} filter={one} value={chosen[one.name] ?? ''} />
        ),
      )}
      {some && (
        <button type="button" class="button quiet" onClick={clear}>
          <Icon name="close" size={14} /> Clear
        </button>
      )}
    </form>
  );
}

/** Counts once typing paused, or at Enter. */
function Text({ filter, value }: { filter: Filter; value: string }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => choose({ [filter.name]: text.trim() }), 500);
    return () => clearTimeout(timer);
  }, [text, value, filter.name]);
  return (
    <Input
      label={filter.label}
      value={text}
      placeholder="All"
      autocomplete="off"
      maxLength={200}
      suggestions={filter.suggestions}
      onText={setText}
      onKeyDown={(event) => {
        if (event.key === 'Enter') choose({ [filter.name]: text.trim() });
      }}
    />
  );
}

/** Copies a text, and says that it did. */
import { useEffect, useState } from 'preact/hooks';
import { say } from '../lib/toast';
import { Icon } from './icon';

export function Copy({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
    } catch {
      say('The browser did not let the page copy. Select the text and copy it yourself.', true);
    }
  };
  return (
    <button
      type="button"
      class="button quiet square"
      aria-label={label}
      title={label}
      onClick={() => void copy()}
    >
      <Icon name={done ? 'check' : 'copy'} size={15} />
      <span class="hidden" role="status">
        {done ? 'Copied' : ''}
      </span>
    </button>
  );
}

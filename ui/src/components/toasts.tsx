/** Where notices appear, and are read out. */
import { dismiss, notices } from '../lib/toast';
import { Icon } from './icon';

export function Toasts() {
  return (
    <div class="toasts" role="log" aria-live="polite" aria-label="Notices">
      {notices.value.map((one) => (
        <div class={one.bad ? 'toast bad' : 'toast'} key={one.id}>
          <Icon name={one.bad ? 'alert' : 'check'} />
          <p>{one.text}</p>
          <button
            type="button"
            class="button quiet square"
            aria-label="Dismiss"
            onClick={() => dismiss(one.id)}
          >
            <Icon name="close" size={14} />
          </button>
        </div>
      ))}
    </div>
  );
}

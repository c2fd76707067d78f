/** Dark, light or as the system has it; remembered on this device. */
import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';
export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];
const KEY = 'penstock-theme';

export const theme = signal<Theme>(stored());
/** Counts changes of the colours in use, for what draws them by itself. */
export const colours = signal(0);

function stored(): Theme {
  try {
    return THEMES.find((one) => one === localStorage.getItem(KEY)) ?? 'system';
  } catch {
    return 'system'; // storage is switched off
  }
}

export function wear(): void {
  effect(() => {
    const chosen = theme.value;
    if (chosen === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = chosen;
    try {
      localStorage.setItem(KEY, chosen);
    } catch {
      // it lasts as long as this page, then
    }
    colours.value = colours.peek() + 1;
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => colours.value++);
}

/** The application: asks for what its first page shows, then draws the shell around whichever page the address names. */
import './styles/base.css';
import './styles/layout.css';
import './styles/cards.css';
import './styles/tables.css';
import './styles/forms.css';
import './styles/pages.css';
import './styles/lists.css';
import { render } from 'preact';
import { resume } from './lib/api';
import { first } from './lib/first';
import { begin, forget } from './lib/load';
import { listen } from './lib/router';
import { session } from './lib/session';
import { wear } from './lib/theme';
import { sayFailure } from './lib/toast';
import { Shell } from './shell';

/** Milliseconds for which nothing is drawn, so that the figures are drawn with the page and not after it. */
const SOON = 100;

async function start(): Promise<void> {
  const asked = [resume().catch(sayFailure), ...first(location).map(begin)];
  session.subscribe((one) => {
    if (one === null) forget();
  });
  wear();
  listen();
  await Promise.race([Promise.all(asked), new Promise((over) => setTimeout(over, SOON))]);
  const place = document.getElementById('app');
  if (place) render(<Shell />, place);
}

void start();

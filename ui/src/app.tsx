/** The application: the shell around whichever page the address names. */
import { render } from 'preact';
import { resume } from './lib/api';
import { listen } from './lib/router';
import { wear } from './lib/theme';
import { sayFailure } from './lib/toast';
import { Shell } from './shell';

wear();
listen();
resume().catch(sayFailure);
const place = document.getElementById('app');
if (place) render(<Shell />, place);

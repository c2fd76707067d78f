/** The first script: asks the gateway for what the first page shows while the application is still on its way. */
import './styles/base.css';
import './styles/layout.css';
import './styles/cards.css';
import './styles/tables.css';
import './styles/forms.css';
import './styles/pages.css';
import './styles/lists.css';
import { begin } from './lib/ahead';
import { first } from './lib/first';

for (const url of first(location)) begin(url);
void import('./app');

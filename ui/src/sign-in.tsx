/** Signing in: with an API key or a token that has the scope `admin`. It is sent once and never kept on the page. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Input } from './components/field';
import { Failure, signIn } from './lib/api';
import { duration } from './lib/format';
import { ended } from './lib/session';
import { Mark } from './shell';

const REASONS: Record<number, string> = {
  0: 'The gateway did not answer. Is it running?',
  401: 'The gateway does not know this key or token; it may be revoked or expired.',
  403: 'This key or token is good, but it lacks the scope “admin”.',
};

/** What a proxy brings about that the gateway does not know of. */
const FOREIGN =
  'The gateway does not take this page for its own. Behind a proxy, name that in server.trusted_proxies and have it set X-Forwarded-Host.';

export function SignIn() {
  const [credential, setCredential] = useState('');
  const [error, setError] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    document.title = 'Sign in · Penstock';
    form.current?.querySelector('input')?.focus();
  }, []);

  const submit = async (event: Event) => {
    event.preventDefault();
    const text = credential.trim().replace(/^Bearer\s+/i, '');
    if (!text) {
      setError('Paste a key or a token.');
      return;
    }
    setBusy(true);
    setError(undefined);
    try {
      await signIn(text);
    } catch (failure) {
      setError(reason(failure));
      setBusy(false);
      form.current?.querySelector('input')?.focus();
    }
  };

  return (
    <main class="sign-in">
      <form ref={form} class="card" onSubmit={(event) => void submit(event)}>
        <p class="brand">
          <Mark /> Penstock
        </p>
        <h1>Sign in</h1>
        {ended.value && <p role="status">Your session is over. Sign in again to go on.</p>}
        <Input
          label="Admin key or token"
          type="password"
          name="credential"
          autocomplete="current-password"
          required
          value={credential}
          error={error}
          onText={setCredential}
          hint="An API key (pk-…) or a JWT with the scope admin."
        />
        <button type="submit" class="button primary" disabled={busy}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
        <p class="note">
          On the gateway’s machine,{' '}
          <code>penstock keys create --sub you --scope admin --scope chat</code> makes one.
        </p>
      </form>
    </main>
  );
}

function reason(failure: unknown): string {
  if (!(failure instanceof Failure)) return 'Something went wrong on this page.';
  if (failure.status === 429) {
    const wait = failure.wait === null ? 'a while' : duration(failure.wait * 1000);
    return `Too many wrong tries. Wait ${wait}, then try again.`;
  }
  if (failure.code === 'csrf') return FOREIGN;
  return REASONS[failure.status] ?? failure.message;
}

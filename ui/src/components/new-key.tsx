/** Makes an API key, and shows it: once, until the reader says that they have it. */
import { useState } from 'preact/hooks';
import { call, Failure } from '../lib/api';
import { useLoad } from '../lib/load';
import type { MadeKey } from '../lib/records';
import { Copy } from './copy';
import { Dialog } from './dialog';
import { Input, Select } from './field';
import { ErrorNote } from './states';

const SCOPES: [string, string][] = [
  ['chat', 'chat'],
  ['embed', 'embeddings'],
  ['rag', 'documents'],
  ['rag:share', 'share documents'],
  ['usage', 'usage'],
  ['route:force', 'choose the provider'],
  ['admin', 'administer, this dashboard included'],
];
const USUAL = ['chat', 'embed', 'rag'];
const TIERS = ['free', 'pro', 'enterprise'];

interface NewKeyProps {
  open: boolean;
  onClose: () => void;
  onMade: () => void;
}

export function NewKey({ open, onClose, onMade }: NewKeyProps) {
  const [made, setMade] = useState<MadeKey | null>(null);
  const [busy, setBusy] = useState(false);
  const done = () => {
    setMade(null);
    onClose();
  };
  return (
    <Dialog
      title={made ? 'Copy the key now' : 'New key'}
      open={open}
      onClose={done}
      closable={!made && !busy}
    >
      {made ? (
        <Once made={made} onDone={done} />
      ) : (
        <Form
          busy={busy}
          setBusy={setBusy}
          onCancel={done}
          onMade={(key) => {
            setMade(key);
            onMade();
          }}
        />
      )}
    </Dialog>
  );
}

function Once({ made, onDone }: { made: MadeKey; onDone: () => void }) {
  return (
    <>
      <div class="dialog-body">
        <p>It is kept nowhere and cannot be shown again. Whoever has it can do what it may.</p>
        <p class="secret">
          <code>{made.key}</code>
          <Copy text={made.key} label="Copy the key" />
        </p>
      </div>
      <footer class="dialog-foot">
        <button type="button" class="button primary" onClick={onDone}>
          I have copied it
        </button>
      </footer>
    </>
  );
}

interface FormProps {
  busy: boolean;
  setBusy: (busy: boolean) => void;
  onCancel: () => void;
  onMade: (key: MadeKey) => void;
}

function Form({ busy, setBusy, onCancel, onMade }: FormProps) {
  const limits = useLoad<{ tiers: { name: string }[] }>('/admin/limits');
  const tiers = limits.data?.tiers.map((one) => one.name) ?? TIERS;
  const [name, setName] = useState('');
  const [sub, setSub] = useState('');
  const [tenant, setTenant] = useState('');
  const [tier, setTier] = useState('free');
  const [expires, setExpires] = useState('');
  const [scopes, setScopes] = useState<string[]>(USUAL);
  const [error, setError] = useState<Failure | null>(null);

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    const optional = { sub: sub.trim(), tenant: tenant.trim(), expires };
    const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== ''));
    try {
      onMade(
        await call<MadeKey>('POST', '/admin/keys', {
          body: { name: name.trim(), tier, scopes, ...given },
        }),
      );
    } catch (failure) {
      setError(failure instanceof Failure ? failure : new Failure(0, 'broken', String(failure)));
    } finally {
      setBusy(false);
    }
  };
  const tick = (scope: string, on: boolean) =>
    setScopes(on ? [...scopes, scope] : scopes.filter((one) => one !== scope));

  return (
    <form onSubmit={(event) => void submit(event)}>
      <div class="dialog-body">
        {error && <ErrorNote error={error} />}
        <Input
          label="Name"
          required
          maxLength={128}
          value={name}
          onText={setName}
          hint="What it is for."
          autocomplete="off"
        />
        <div class="pair">
          <Input
            label="Acts as user"
            value={sub}
            maxLength={256}
            onText={setSub}
            placeholder={name.trim() || 'its name'}
            autocomplete="off"
          />
          <Input
            label="Tenant"
            value={tenant}
            maxLength={256}
            onText={setTenant}
            placeholder="default"
            autocomplete="off"
          />
        </div>
        <div class="pair">
          <Select
            label="Tier"
            value={tier}
            options={tiers.map((value) => ({ value, text: value }))}
            onChoose={setTier}
          />
          <Input
            type="date"
            label="Expires (UTC)"
            min={tomorrow()}
            value={expires}
            onText={setExpires}
          />
        </div>
        <fieldset class="checks">
          <legend>It may</legend>
          {SCOPES.map(([scope, text]) => (
            <label key={scope}>
              <input
                type="checkbox"
                checked={scopes.includes(scope)}
                onChange={(event) => tick(scope, event.currentTarget.checked)}
              />
              {text}
            </label>
          ))}
        </fieldset>
      </div>
      <footer class="dialog-foot">
        <button type="button" class="button" onClick={onCancel} disabled={busy}>
          Cancel
        </button>
        <button
          type="submit"
          class="button primary"
          disabled={busy || !name.trim() || !scopes.length}
        >
          {busy ? 'Making…' : 'Make the key'}
        </button>
      </footer>
    </form>
  );
}

function tomorrow(): string {
  return new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
}

/** Tries the gateway: a streamed chat, and beside each answer where it went, what it cost and what the cache did. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Card } from '../components/card';
import { Input, Select, TextArea, type Option } from '../components/field';
import { Icon } from '../components/icon';
import { PageHead } from '../components/page';
import { Empty, ErrorNote } from '../components/states';
import { useLoad } from '../lib/load';
import { Answer } from './playground/answer';
import { useTalk, type Talk, type Wish } from './playground/talk';

interface Models {
  data: { id: string; owned_by: string }[];
}

type Settings = Omit<Wish, 'question'>;

export default function Playground() {
  const talk = useTalk();
  const [settings, setSettings] = useState<Settings>({
    model: 'auto',
    system: '',
    fresh: false,
    max: null,
  });
  return (
    <>
      <PageHead
        title="Playground"
        note="Requests are real: they count to limits and budgets, and cost what they cost."
      >
        {talk.turns.length > 0 && (
          <button type="button" class="button" onClick={talk.clear}>
            <Icon name="trash" size={15} /> Begin anew
          </button>
        )}
      </PageHead>
      <div class="playground">
        <section class="card talk" aria-label="Conversation">
          <Turns talk={talk} />
          <Composer talk={talk} settings={settings} />
        </section>
        <Chosen settings={settings} change={(one) => setSettings({ ...settings, ...one })} />
      </div>
    </>
  );
}

function Chosen(props: { settings: Settings; change: (changes: Partial<Settings>) => void }) {
  const { settings, change } = props;
  const models = useLoad<Models>('/v1/models');
  const options = optionsOf(models.data);
  return (
    <Card title="Settings">
      {models.error && <ErrorNote error={models.error} retry={models.reload} />}
      <div class="settings">
        <Select
          label="Route or model"
          value={settings.model}
          options={options}
          onChoose={(model) => change({ model })}
        />
        <TextArea
          label="System message"
          value={settings.system}
          rows={3}
          placeholder="None"
          onText={(system) => change({ system })}
        />
        <Input
          label="Most tokens of an answer"
          type="number"
          min={1}
          max={100_000}
          placeholder="The model’s own"
          value={settings.max === null ? '' : String(settings.max)}
          onText={(text) => change({ max: Math.floor(Number(text)) || null })}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={settings.fresh}
            onChange={(event) => change({ fresh: event.currentTarget.checked })}
          />
          <span>
            Ask anew
            <span class="note"> (do not look in the cache)</span>
          </span>
        </label>
      </div>
    </Card>
  );
}

/** Routes first, then targets by their provider, then other names of these. What only embeds is no chat. */
function optionsOf(models: Models | undefined): Option[] {
  const chats = (models?.data ?? []).filter((one) => !/embed|bge-|hashed/i.test(one.id));
  const found = chats.map(({ id, owned_by }): Option => {
    const own = owned_by === 'penstock';
    const alias = own && /[/@]/.test(id);
    return { value: id, text: id, group: alias ? 'Aliases' : own ? 'Routes' : owned_by };
  });
  const sorted = found.toSorted((one, other) => rank(one) - rank(other));
  return sorted.length ? sorted : [{ value: 'auto', text: 'auto' }];
}

const rank = ({ group }: Option): number => (group === 'Routes' ? 0 : group === 'Aliases' ? 2 : 1);

function Turns({ talk }: { talk: Talk }) {
  const end = useRef<HTMLDivElement>(null);
  const { turns, busy } = talk;
  const length = turns.at(-1)?.answer.length ?? 0;
  useEffect(() => {
    const box = end.current;
    if (!box) return;
    const near = box.scrollHeight - box.scrollTop - box.clientHeight < 120;
    if (near || length === 0) box.scrollTop = box.scrollHeight;
  }, [length, turns.length]);
  return (
    <div
      ref={end}
      class="turns"
      role="log"
      aria-label="What was said"
      aria-live="polite"
      aria-busy={busy}
      tabIndex={0}
    >
      {turns.length ? (
        turns.map((turn) => <Answer key={turn.key} turn={turn} />)
      ) : (
        <Empty title="Ask something" icon="playground">
          You see the answer as it comes, which target gave it, what it cost, and whether the cache
          had it.
        </Empty>
      )}
    </div>
  );
}

function Composer({ talk, settings }: { talk: Talk; settings: Settings }) {
  const [text, setText] = useState('');
  const ask = () => {
    if (talk.busy || !text.trim()) return;
    talk.ask({ ...settings, question: text });
    setText('');
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        ask();
      }}
    >
      <TextArea
        label="Message"
        quiet
        rows={2}
        value={text}
        placeholder="Message…"
        hint="Enter sends, Shift+Enter begins a line."
        onText={setText}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          ask();
        }}
      />
      {talk.busy ? (
        <button type="button" class="button" onClick={talk.stop}>
          <Icon name="stop" size={16} /> Stop
        </button>
      ) : (
        <button type="submit" class="button primary" disabled={!text.trim()}>
          <Icon name="send" size={16} /> Send
        </button>
      )}
    </form>
  );
}

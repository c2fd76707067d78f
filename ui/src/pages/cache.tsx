/** What the cache answered, and taking things out of it. */
import { useState } from 'preact/hooks';
import { Card, Shown } from '../components/card';
import { Confirm } from '../components/dialog';
import { Count, Meter, Percent } from '../components/figures';
import { Input, Select } from '../components/field';
import { PageHead } from '../components/page';
import { Refresh } from '../components/refresh';
import { Empty } from '../components/states';
import { Table, type Column } from '../components/table';
import { call } from '../lib/api';
import { pace } from '../lib/live';
import { useLoad } from '../lib/load';
import { say, sayFailure } from '../lib/toast';

interface Kind {
  kind: string;
  hits: number;
  misses: number;
}

const KINDS: Record<string, string> = {
  chat: 'Chats',
  embed: 'Embeddings',
  rag: 'Answers from documents',
  http: 'Services’ replies',
};

export default function Cache() {
  const stats = useLoad<{ kinds: Kind[] }>('/admin/cache', {}, pace(15));
  return (
    <>
      <PageHead
        title="Cache"
        note="Since the first request. A hit costs nothing, and counts as a request all the same."
      >
        <Refresh of={stats} />
      </PageHead>
      <div class="grid">
        <Card title="Hits by kind" class="two-thirds">
          <Shown of={stats}>
            {({ kinds }) => (
              <Table
                caption="Hits and misses by kind"
                columns={COLUMNS}
                rows={kinds}
                rowKey={(row) => row.kind}
                empty={
                  <Empty title="Nothing was looked for yet" icon="cache">
                    Equal requests of one caller are answered from here, until their time is over.
                  </Empty>
                }
              />
            )}
          </Shown>
        </Card>
        <Purge onDone={stats.reload} />
      </div>
    </>
  );
}

function share(row: Kind): number | null {
  const all = row.hits + row.misses;
  return all ? row.hits / all : null;
}

const COLUMNS: Column<Kind>[] = [
  { key: 'kind', label: 'Kind', head: true, render: (row) => KINDS[row.kind] ?? row.kind },
  {
    key: 'share',
    label: 'Hit rate',
    value: share,
    render: (row) => (
      <span class="gauge">
        <Meter label={`Hit rate of ${KINDS[row.kind] ?? row.kind}`} share={share(row)} />
        <Percent share={share(row)} />
      </span>
    ),
  },
  {
    key: 'hits',
    label: 'Hits',
    right: true,
    value: (row) => row.hits,
    render: (row) => <Count value={row.hits} />,
  },
  {
    key: 'misses',
    label: 'Misses',
    right: true,
    value: (row) => row.misses,
    render: (row) => <Count value={row.misses} />,
  },
];

const FIELDS: [string, string, string][] = [
  ['owner', 'Owner', 'TENANT/USER'],
  ['model', 'Model', 'gpt-4o-mini'],
  ['route', 'Route', 'auto'],
  ['url', 'URL of a service’s reply', '/api/…'],
  ['tag', 'Tag', ''],
  ['key', 'Key of one entry', 'chat:…'],
];

/** By any of what entries are known by, all that are named together; everything where none is. */
function Purge({ onDone }: { onDone: () => void }) {
  const [wanted, setWanted] = useState<Record<string, string>>({});
  const [asking, setAsking] = useState(false);
  const chosen = Object.entries(wanted).filter(([, value]) => value.trim() !== '');
  const set = (name: string) => (value: string) => setWanted({ ...wanted, [name]: value });

  const purge = async () => {
    try {
      const query = Object.fromEntries(chosen.map(([name, value]) => [name, value.trim()]));
      await call('DELETE', '/admin/cache', { query });
      say(
        chosen.length
          ? 'What fits is purged, everywhere within ten seconds.'
          : 'The cache is purged, everywhere within ten seconds.',
      );
      setWanted({});
    } catch (error) {
      sayFailure(error);
    }
    onDone();
  };

  return (
    <Card title="Purge" class="third" note="Leave all empty to purge everything.">
      <form
        class="stack close"
        onSubmit={(event) => {
          event.preventDefault();
          setAsking(true);
        }}
      >
        <Select
          label="Kind"
          value={wanted['kind'] ?? ''}
          options={[
            { value: '', text: 'All' },
            ...Object.entries(KINDS).map(([value, text]) => ({ value, text })),
          ]}
          onChoose={set('kind')}
        />
        {FIELDS.map(([name, label, example]) => (
          <Input
            key={name}
            label={label}
            value={wanted[name] ?? ''}
            placeholder={example}
            autocomplete="off"
            maxLength={500}
            onText={set(name)}
          />
        ))}
        <button type="submit" class="button danger">
          {chosen.length ? 'Purge what fits…' : 'Purge everything…'}
        </button>
      </form>
      <Confirm
        title={chosen.length ? 'Purge what fits?' : 'Purge the whole cache?'}
        open={asking}
        action="Purge"
        onClose={() => setAsking(false)}
        onConfirm={purge}
      >
        {chosen.length ? (
          <>
            <p>Entries with all of this are not used again, everywhere within ten seconds:</p>
            <ul class="chips">
              {chosen.map(([name, value]) => (
                <li key={name}>
                  {name} <strong>{value}</strong>
                </li>
              ))}
            </ul>
          </>
        ) : (
          <p>
            No entry of any caller is used again. Until the cache is warm anew, every request is
            bought.
          </p>
        )}
      </Confirm>
    </Card>
  );
}

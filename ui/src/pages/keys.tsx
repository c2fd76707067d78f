/** API keys: made here and shown once, revoked by a button, everywhere at once. */
import { useState } from 'preact/hooks';
import { Badge, Time, type Tone } from '../components/figures';
import { Card, Shown } from '../components/card';
import { Confirm } from '../components/dialog';
import { Filters, useFilters, type Filter } from '../components/filters';
import { Icon } from '../components/icon';
import { More } from '../components/more';
import { NewKey } from '../components/new-key';
import { PageHead } from '../components/page';
import { Empty } from '../components/states';
import { Table, type Column } from '../components/table';
import { Two } from '../components/two';
import { call } from '../lib/api';
import { useList, type Paged } from '../lib/list';
import type { ApiKey } from '../lib/records';
import { say, sayFailure } from '../lib/toast';

const FILTERS: Filter[] = [{ name: 'tenant', label: 'Tenant' }];

export default function Keys() {
  const [making, setMaking] = useState(false);
  const [ending, setEnding] = useState<ApiKey | null>(null);
  const chosen = useFilters(['tenant']);
  const list = useList<Paged & { keys: ApiKey[] }>('/admin/keys', chosen);
  const rows = list.pages.flatMap((page) => page.keys);

  const revoke = async (key: ApiKey) => {
    try {
      await call('DELETE', `/admin/keys/${encodeURIComponent(key.id)}`);
      say(`The key “${key.name || key.id}” is revoked.`);
    } catch (error) {
      sayFailure(error);
    }
    list.first.reload();
  };

  return (
    <>
      <PageHead
        title="Keys"
        note="For programs. Only a hash of each is kept, so a key is shown once, when it is made."
      >
        <button type="button" class="button primary" onClick={() => setMaking(true)}>
          <Icon name="plus" size={15} /> New key
        </button>
      </PageHead>
      <div class="stack">
        <Filters filters={FILTERS} />
        <Card title="API keys" class="dense">
          <Shown of={list.first} lines={6}>
            {() => (
              <>
                <Table
                  caption="List of API keys"
                  columns={[...COLUMNS, revoking(setEnding)]}
                  rows={rows}
                  rowKey={(row) => row.id}
                  empty={
                    <Empty
                      title={chosen['tenant'] ? 'This tenant has no keys' : 'No keys yet'}
                      icon="keys"
                    >
                      A key lets a program call the gateway without a user’s token.
                    </Empty>
                  }
                />
                <More of={list} shown={rows.length} what="keys" />
              </>
            )}
          </Shown>
        </Card>
      </div>
      <NewKey open={making} onClose={() => setMaking(false)} onMade={list.first.reload} />
      <Confirm
        title="Revoke this key?"
        open={ending !== null}
        action="Revoke the key"
        onClose={() => setEnding(null)}
        onConfirm={async () => {
          if (ending) await revoke(ending);
        }}
      >
        <p>
          “<bdi>{ending?.name || ending?.id}</bdi>” of <bdi>{ending?.sub}</bdi> will be refused from
          its next request on, on every process, and its running streams end within seconds. This
          cannot be undone.
        </p>
      </Confirm>
    </>
  );
}

const COLUMNS: Column<ApiKey>[] = [
  {
    key: 'name',
    label: 'Name',
    head: true,
    wide: true,
    value: (row) => row.name,
    render: (row) => <span title={row.name}>{row.name || <span class="muted">unnamed</span>}</span>,
  },
  {
    key: 'sub',
    label: 'Acts as',
    wide: true,
    value: (row) => `${row.tenant}/${row.sub}`,
    render: (row) => <Two main={row.sub} sub={row.tenant} title={`${row.sub} of ${row.tenant}`} />,
  },
  { key: 'scopes', label: 'May', wide: true, render: (row) => <Scopes scopes={row.scopes} /> },
  { key: 'tier', label: 'Tier', value: (row) => row.tier, render: (row) => row.tier },
  {
    key: 'created',
    label: 'Made',
    value: (row) => row.created,
    render: (row) => (
      <span class="two whole">
        <Time at={row.created} />
        <small class="muted">
          {row.expires ? (
            <>
              until <Time at={row.expires} />
            </>
          ) : (
            'never expires'
          )}
        </small>
      </span>
    ),
  },
  {
    key: 'state',
    label: 'State',
    value: (row) => standing(row)[0],
    render: (row) => {
      const [state, tone] = standing(row);
      return <Badge tone={tone}>{state}</Badge>;
    },
  },
];

function revoking(ask: (key: ApiKey) => void): Column<ApiKey> {
  return {
    key: 'revoke',
    label: 'Action',
    right: true,
    render: (row) =>
      row.revoked ? (
        <Time at={row.revoked} relative />
      ) : (
        <button
          type="button"
          class="button small danger"
          onClick={() => ask(row)}
          aria-label={`Revoke ${row.name || row.id}`}
        >
          Revoke
        </button>
      ),
  };
}

function standing(key: ApiKey): [string, Tone] {
  if (key.revoked) return ['revoked', 'bad'];
  if (key.expires && Date.parse(key.expires) <= Date.now()) return ['expired', 'warn'];
  return ['active', 'good'];
}

function Scopes({ scopes }: { scopes: string[] }) {
  const text = scopes.join(', ');
  return (
    <span class={scopes.includes('admin') ? '' : 'muted'} title={text}>
      {text}
    </span>
  );
}

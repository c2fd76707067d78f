/** The log of requests: what came, who answered it, and what it cost; each leads to why. */
import { Badge, Count, Duration, Money, Time } from '../components/figures';
import { Card, Shown } from '../components/card';
import { Filters, useFilters, type Filter } from '../components/filters';
import { More } from '../components/more';
import { PageHead } from '../components/page';
import { RangePicker, useRange } from '../components/range';
import { Refresh } from '../components/refresh';
import { Empty } from '../components/states';
import { Table, type Column } from '../components/table';
import { Two } from '../components/two';
import { useList, type Paged } from '../lib/list';
import type { Logged } from '../lib/records';
import { href } from '../lib/router';
import { statusTone, words } from '../lib/words';

const FILTERS: Filter[] = [
  {
    name: 'status',
    label: 'Status',
    options: ['2xx', '4xx', '5xx'].map((value) => ({ value, text: value })),
  },
  {
    name: 'cache',
    label: 'Cache',
    options: ['hit', 'miss', 'bypass'].map((value) => ({ value, text: value })),
  },
  { name: 'route', label: 'Route' },
  { name: 'model', label: 'Model' },
  { name: 'provider', label: 'Provider' },
  { name: 'tenant', label: 'Tenant' },
  { name: 'user', label: 'User' },
];
const NAMES = FILTERS.map((one) => one.name);

const COLUMNS: Column<Logged>[] = [
  {
    key: 'time',
    label: 'Time',
    head: true,
    render: (row) => (
      <a class="when" href={href(`/requests/${row.id}`)}>
        <Time at={row.time} precise />
      </a>
    ),
  },
  {
    key: 'status',
    label: 'Status',
    render: (row) => (
      <span class="two whole">
        <span>
          <Badge tone={statusTone(row.status)}>{row.status ?? 'running'}</Badge>
        </span>
        {row.code && <small class="muted">{words(row.code)}</small>}
      </span>
    ),
  },
  {
    key: 'who',
    label: 'Who',
    wide: true,
    render: (row) => (
      <Two main={row.user} sub={row.tenant} title={`${row.user} of ${row.tenant}`} />
    ),
  },
  {
    key: 'target',
    label: 'Route and target',
    wide: true,
    render: (row) => (
      <Two
        main={row.route}
        sub={row.target === row.route ? null : row.target}
        title={`${row.route} → ${row.target ?? 'none'}`}
      />
    ),
  },
  {
    key: 'cache',
    label: 'Cache',
    render: (row) =>
      row.cache === 'hit' ? (
        <Badge tone="accent">hit</Badge>
      ) : (
        <span class="muted">{row.cache ?? '–'}</span>
      ),
  },
  {
    key: 'tokens',
    label: 'Tokens',
    right: true,
    render: (row) => (
      <>
        <Count value={row.input} /> <span class="muted">→</span> <Count value={row.output} />
      </>
    ),
  },
  { key: 'cost', label: 'Cost', right: true, render: (row) => <Money nanos={row.costNanos} /> },
  { key: 'took', label: 'Took', right: true, render: (row) => <Duration ms={row.latencyMs} /> },
];

export default function Requests() {
  const { from, to } = useRange('7d');
  const chosen = useFilters(NAMES);
  const list = useList<Paged & { requests: Logged[] }>('/admin/requests', { from, to, ...chosen });
  const rows = list.pages.flatMap((page) => page.requests);
  return (
    <>
      <PageHead
        title="Requests"
        note="The newest first. Open one to see why it went where it went."
      >
        <RangePicker fallback="7d" />
        <Refresh of={list.first} />
      </PageHead>
      <div class="stack">
        <Filters filters={FILTERS} />
        <Card title="Log" class="dense">
          <Shown of={list.first} lines={8}>
            {() => (
              <>
                <Table
                  caption="Requests"
                  columns={COLUMNS}
                  rows={rows}
                  rowKey={(row) => row.id}
                  empty={
                    <Nothing narrowed={Object.keys(chosen).length > 0} further={list.further} />
                  }
                />
                <More of={list} shown={rows.length} what="request" />
              </>
            )}
          </Shown>
        </Card>
      </div>
    </>
  );
}

function Nothing({ narrowed, further }: { narrowed: boolean; further: boolean }) {
  if (further) {
    return <Empty title="None among the newest">Load more to look further back.</Empty>;
  }
  if (narrowed) {
    return <Empty title="No request is like that">Take a filter away, or choose more days.</Empty>;
  }
  return (
    <Empty title="No requests in these days" icon="requests">
      Send one from the <a href={href('/playground')}>playground</a>, or point an OpenAI SDK at this
      gateway.
    </Empty>
  );
}

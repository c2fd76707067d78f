/** What may be spent and asked: how the running budgets stand, and what the configuration allows. */
import { Card, Shown } from '../components/card';
import { Count, Meter, Money, Percent, Time } from '../components/figures';
import { PageHead } from '../components/page';
import { Refresh } from '../components/refresh';
import { Empty } from '../components/states';
import { Table, type Column } from '../components/table';
import { Two } from '../components/two';
import { bytes } from '../lib/format';
import { pace } from '../lib/live';
import { useLoad } from '../lib/load';
import type { ConfiguredBudget, Limits, Tier } from '../lib/records';
import type { Budget } from '../lib/types';
import { budgetTone } from '../lib/words';

export default function Budgets() {
  const running = useLoad<{ budgets: Budget[] }>('/admin/reports/budgets', {}, pace(15));
  const limits = useLoad<Limits>('/admin/limits');
  return (
    <>
      <PageHead
        title="Budgets and limits"
        note="A call’s most is reserved before it is sent, so what is spent and reserved never passes a cap."
      >
        <Refresh of={running} />
      </PageHead>
      <div class="stack">
        <Card
          class="dense"
          title="Running budgets"
          note="The hundred nearest to their cap. The mark on a bar is how much of the period is over."
        >
          <Shown of={running} lines={5}>
            {({ budgets }) => (
              <Table
                caption="How running budgets stand"
                columns={RUNNING}
                rows={budgets}
                rowKey={(row) => [row.per, row.name, row.period, row.unit].join(' ')}
                empty={
                  <Empty title="No budget is in use" icon="budgets">
                    A budget appears here with the first call that falls under it in its hour, day
                    or month.
                  </Empty>
                }
              />
            )}
          </Shown>
        </Card>
        <Shown of={limits} lines={5}>
          {(data) => (
            <>
              <Configured budgets={data.budgets} />
              <Card
                title="Tiers"
                note="How much a caller may ask, by the tier of their key or token."
              >
                <Table
                  caption="What each tier may ask"
                  columns={tierColumns(data.tiers)}
                  rows={data.tiers}
                  rowKey={(row) => row.name}
                />
              </Card>
            </>
          )}
        </Shown>
      </div>
    </>
  );
}

function Amount({ unit, value }: { unit: string; value: string }) {
  return unit === 'nanos' ? <Money nanos={value} /> : <Count value={Number(value)} />;
}

const RUNNING: Column<Budget>[] = [
  {
    key: 'name',
    label: 'Budget',
    head: true,
    wide: true,
    value: (row) => row.name,
    render: (row) => <Two main={row.name} sub={row.per} />,
  },
  { key: 'period', label: 'Period', render: (row) => row.period },
  {
    key: 'used',
    label: 'Used',
    value: (row) => row.used_share,
    render: (row) => (
      <span class="gauge">
        <Meter
          label={`Used of ${row.name}`}
          share={row.used_share}
          mark={row.elapsed_share}
          tone={budgetTone(row)}
        />
        <Percent share={row.used_share} />
      </span>
    ),
  },
  {
    key: 'spent',
    label: 'Spent',
    right: true,
    render: (row) => <Amount unit={row.unit} value={row.spent} />,
  },
  {
    key: 'reserved',
    label: 'Reserved',
    right: true,
    render: (row) => <Amount unit={row.unit} value={row.reserved} />,
  },
  {
    key: 'left',
    label: 'Left',
    right: true,
    render: (row) => <Amount unit={row.unit} value={row.left} />,
  },
  {
    key: 'cap',
    label: 'Cap',
    right: true,
    render: (row) => <Amount unit={row.unit} value={row.cap} />,
  },
  {
    key: 'forecast',
    label: 'Forecast',
    right: true,
    render: (row) => <Amount unit={row.unit} value={row.forecast} />,
  },
  {
    key: 'resets',
    label: 'Begins again',
    value: (row) => row.resets,
    render: (row) =>
      row.empty_at ? (
        <span class="warning">
          empty <Time at={row.empty_at} />
        </span>
      ) : (
        <Time at={row.resets} />
      ),
  },
];

function Configured({ budgets }: { budgets: ConfiguredBudget[] }) {
  return (
    <Card title="Configured budgets">
      <Table
        caption="Budgets as configured"
        columns={CONFIGURED}
        rows={budgets}
        rowKey={(_, at) => at}
        empty={
          <Empty title="No budgets are configured" icon="budgets">
            Write <code>[[budgets]]</code> into the configuration to cap what a user, key, tenant or
            route may spend.
          </Empty>
        }
      />
    </Card>
  );
}

const CONFIGURED: Column<ConfiguredBudget>[] = [
  { key: 'per', label: 'Per', head: true, render: (row) => row.per },
  {
    key: 'name',
    label: 'Of',
    wide: true,
    render: (row) => row.name || <span class="muted">each</span>,
  },
  { key: 'tier', label: 'Tier', render: (row) => row.tier || <span class="muted">any</span> },
  { key: 'period', label: 'Period', render: (row) => row.period },
  {
    key: 'money',
    label: 'Money',
    right: true,
    render: (row) => (row.money ? `$${row.money}` : <span class="muted">–</span>),
  },
  {
    key: 'tokens',
    label: 'Tokens',
    right: true,
    render: (row) => (row.tokens ? <Count value={row.tokens} /> : <span class="muted">–</span>),
  },
];

function tierColumns(tiers: Tier[]): Column<Tier>[] {
  const endpoints = [...new Set(tiers.flatMap((one) => Object.keys(one.endpoints)))];
  return [
    { key: 'name', label: 'Tier', head: true, render: (row) => row.name },
    {
      key: 'rate',
      label: 'Requests an hour',
      right: true,
      render: (row) => <Count value={row.rate} />,
    },
    ...endpoints.map((name) => ({
      key: name,
      label: name,
      right: true,
      render: (row: Tier) => <Window of={row.endpoints[name]} />,
    })),
    atMost('tokens', 'Tokens a minute', (row) => row.tokensPerMinute),
    atMost('parallel', 'At once', (row) => row.parallel),
    {
      key: 'documents',
      label: 'Documents',
      right: true,
      render: (row) => (
        <>
          <Count value={row.documents} /> <span class="muted">of {bytes(row.documentBytes)}</span>
        </>
      ),
    },
  ];
}

function atMost(key: string, label: string, of: (row: Tier) => number | null): Column<Tier> {
  return {
    key,
    label,
    right: true,
    render: (row) => (of(row) ? <Count value={of(row)} /> : <span class="muted">no limit</span>),
  };
}

function Window({ of }: { of: Tier['endpoints'][string] | undefined }) {
  if (!of) return <span class="muted">–</span>;
  return (
    <span title={`${of.rate} in any ${of.window} seconds`}>
      <Count value={of.rate} />
      <span class="muted">{span(of.window)}</span>
    </span>
  );
}

function span(seconds: number): string {
  if (seconds === 3600) return '/h';
  if (seconds % 60 === 0) return `/${seconds / 60} min`;
  return `/${seconds} s`;
}

/** The figures of each group, or of each period where nothing is grouped. */
import { Card, Shown } from '../../components/card';
import { Count, Duration, Money, Percent } from '../../components/figures';
import { Empty } from '../../components/states';
import { Table, type Column } from '../../components/table';
import { period } from '../../lib/format';
import type { Loaded } from '../../lib/load';
import { choose } from '../../lib/router';
import { filterOf, groupName } from '../../lib/series';
import type { Series, SeriesRow, Sums, Top, TopRow } from '../../lib/types';

const SUMS: Column<Sums>[] = [
  {
    key: 'cost',
    label: 'Cost',
    right: true,
    render: (row) => <Money nanos={row.costNanos} />,
    value: (row) => BigInt(row.costNanos),
  },
  count('requests', 'Requests', (row) => row.requests),
  share('cached', 'Hits', (row) => row.cachedShare),
  share('free', 'Free', (row) => row.freeShare),
  count('tokens', 'Tokens', (row) => row.tokens),
];

function count(key: string, label: string, value: (row: Sums) => number): Column<Sums> {
  return { key, label, right: true, value, render: (row) => <Count value={value(row)} /> };
}

function share(key: string, label: string, value: (row: Sums) => number | null): Column<Sums> {
  return { key, label, right: true, value, render: (row) => <Percent share={value(row)} /> };
}

const TIMED: Column<SeriesRow>[] = [
  {
    key: 'p50',
    label: 'p50',
    right: true,
    render: (row) => <Duration ms={row.latency?.p50_ms} />,
    value: (row) => row.latency?.p50_ms,
  },
  {
    key: 'p95',
    label: 'p95',
    right: true,
    render: (row) => <Duration ms={row.latency?.p95_ms} />,
    value: (row) => row.latency?.p95_ms,
  },
  {
    key: 'errors',
    label: 'Errors',
    right: true,
    render: (row) => <Count value={row.errors} />,
    value: (row) => row.errors,
  },
];

interface RowsProps {
  series: Loaded<Series>;
  top: Loaded<Top>;
  of: string;
}

export function Rows({ series, top, of }: RowsProps) {
  return of ? <ByGroup top={top} of={of} /> : <ByPeriod series={series} />;
}

const NONE = <Empty title="Nothing in this range" icon="usage" />;

function ByPeriod({ series }: { series: Loaded<Series> }) {
  const columns: Column<SeriesRow>[] = [
    {
      key: 'period',
      label: 'Period',
      head: true,
      render: (row) => period(row.period),
      value: (row) => row.period,
    },
    ...SUMS,
    ...TIMED,
  ];
  return (
    <Card title="Figures">
      <Shown of={series} lines={8}>
        {({ rows }) => (
          <Table
            caption="Usage by period"
            columns={columns}
            rows={rows}
            rowKey={(row) => row.period}
            sort="-period"
            empty={NONE}
            tall
          />
        )}
      </Shown>
    </Card>
  );
}

function ByGroup({ top, of }: { top: Loaded<Top>; of: string }) {
  const columns: Column<TopRow>[] = [
    {
      key: 'group',
      label: of[0]?.toUpperCase() + of.slice(1),
      head: true,
      wide: true,
      render: (row) => <Narrow row={row} of={of} />,
      value: (row) => groupName(row, of),
    },
    ...SUMS,
  ];
  return (
    <Card title="Figures" note="The 100 that cost most; choose a name to see it alone.">
      <Shown of={top} lines={8}>
        {({ rows, of: told }) => (
          <Table
            caption={`Usage by ${told}`}
            columns={columns}
            rows={rows}
            rowKey={(row) => `${row.service ?? ''} ${groupName(row, told)}`}
            sort="-cost"
            empty={NONE}
            tall
          />
        )}
      </Shown>
    </Card>
  );
}

/** Chosen, it becomes a filter, and what is inside it is shown. */
function Narrow({ row, of }: { row: TopRow; of: string }) {
  const name = groupName(row, of);
  const filter = filterOf(row, of);
  if (!filter) return <span title={name}>{name}</span>;
  return (
    <button
      type="button"
      class="link"
      title={name}
      onClick={() => choose({ of: null, ...filter }, true)}
    >
      {name}
    </button>
  );
}

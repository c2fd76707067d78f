/** What and who cost most. */
import { Card, Shown } from '../../components/card';
import { Count, Money, Percent } from '../../components/figures';
import { Empty } from '../../components/states';
import { Table, type Column } from '../../components/table';
import { pace } from '../../lib/live';
import { useLoad, type Loaded } from '../../lib/load';
import type { Range } from '../../lib/range';
import { href } from '../../lib/router';
import { groupName } from '../../lib/series';
import type { Top, TopRow } from '../../lib/types';

export function TopModels({ range }: { range: Range }) {
  return <Most title="Top models" of="model" head="Model" range={range} />;
}

export function TopUsers({ range }: { range: Range }) {
  return <Most title="Top users" of="user" head="User" range={range} />;
}

interface MostProps {
  title: string;
  of: string;
  head: string;
  range: Range;
}

function Most({ title, of, head, range }: MostProps) {
  const { from, to } = range;
  const top = useLoad<Top>('/admin/reports/top', { of, from, to, limit: 6 }, pace(30));
  const columns: Column<TopRow>[] = [
    {
      key: 'name',
      label: head,
      head: true,
      wide: true,
      render: (row) => <span title={groupName(row, of)}>{groupName(row, of)}</span>,
    },
    {
      key: 'requests',
      label: 'Requests',
      right: true,
      render: (row) => <Count value={row.requests} />,
      value: (row) => row.requests,
    },
    {
      key: 'cached',
      label: 'Hits',
      right: true,
      render: (row) => <Percent share={row.cachedShare} />,
      value: (row) => row.cachedShare,
    },
    {
      key: 'cost',
      label: 'Cost',
      right: true,
      render: (row) => <Money nanos={row.costNanos} />,
      value: (row) => BigInt(row.costNanos),
    },
  ];
  return (
    <Card title={title} class="fill" actions={<More of={of} range={range} />}>
      <Listed of={top} columns={columns} title={title} name={(row) => groupName(row, of)} />
    </Card>
  );
}

function More({ of, range }: { of: string; range: Range }) {
  const span =
    range.name === 'custom'
      ? `range=custom&from=${range.from}&to=${range.to}`
      : `range=${range.name}`;
  return (
    <a class="button quiet small" href={href(`/usage?of=${of}&${span}`)}>
      Explore<span class="hidden"> usage by {of}</span>
    </a>
  );
}

interface ListedProps {
  of: Loaded<Top>;
  columns: Column<TopRow>[];
  title: string;
  name: (row: TopRow) => string;
}

function Listed({ of, columns, title, name }: ListedProps) {
  return (
    <Shown of={of} lines={6}>
      {({ rows }) => (
        <Table
          caption={title}
          columns={columns}
          rows={rows}
          rowKey={name}
          sort="-cost"
          empty={<Empty title="Nobody asked anything in this range" icon="usage" />}
        />
      )}
    </Shown>
  );
}

/** What and who cost most. */
import { Card, Shown } from '../../components/card';
import { Count, Money, Percent } from '../../components/figures';
import { Empty } from '../../components/states';
import { Table, type Column } from '../../components/table';
import { pace } from '../../lib/live';
import { useLoad, type Loaded } from '../../lib/load';
import { inAddress, type Range } from '../../lib/range';
import { href } from '../../lib/router';
import { filterOf, groupName } from '../../lib/series';
import type { Top, TopRow } from '../../lib/types';
import { See } from './see';

interface WhichProps {
  range: Range;
}

export function TopModels(props: WhichProps) {
  return <Most title="Top models" of="model" head="Model" {...props} />;
}

export function TopUsers(props: WhichProps) {
  return <Most title="Top users" of="user" head="User" {...props} />;
}

interface MostProps extends WhichProps {
  title: string;
  of: string;
  head: string;
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
      render: (row) => <Named row={row} of={of} range={range} />,
    },
    {
      key: 'cost',
      label: 'Cost',
      right: true,
      render: (row) => <Money nanos={row.costNanos} />,
      value: (row) => BigInt(row.costNanos),
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
  ];
  return (
    <Card
      title={title}
      class="fill"
      actions={
        <See to={`/usage?of=${of}&${inAddress(range)}`} text="Explore" of={`usage by ${of}`} />
      }
    >
      <Listed of={top} columns={columns} title={title} name={(row) => groupName(row, of)} />
    </Card>
  );
}

/** To its usage over the same days. */
function Named({ row, of, range }: { row: TopRow; of: string; range: Range }) {
  const name = groupName(row, of);
  const only = new URLSearchParams(filterOf(row, of) ?? {}).toString();
  if (!only) return <span title={name}>{name}</span>;
  return (
    <a class="plain" title={name} href={href(`/usage?${only}&${inAddress(range)}`)}>
      {name}
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
          caption={`${title} by cost`}
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

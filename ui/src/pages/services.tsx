/** Where requests are sent: backends of services and deployments of targets, and how they are. */
import { Badge, Count, Duration, Percent } from '../components/figures';
import { Card, Shown } from '../components/card';
import { PageHead } from '../components/page';
import { Refresh } from '../components/refresh';
import { Empty } from '../components/states';
import { Table, type Column } from '../components/table';
import { Two } from '../components/two';
import { pace } from '../lib/live';
import { useLoad } from '../lib/load';
import type { Backend, Deployment, Deployments, Service, Services, Target } from '../lib/records';
import { stateTone, words } from '../lib/words';

export default function Services() {
  const services = useLoad<Services>('/admin/services', {}, pace(5));
  const targets = useLoad<Deployments>('/admin/deployments', {}, pace(5));
  return (
    <>
      <PageHead title="Services" note="As the process that answers sees them, every few seconds.">
        <Refresh of={services} />
      </PageHead>
      <div class="stack">
        <Shown of={services} lines={6}>
          {(data) => <Backends services={data.services} />}
        </Shown>
        <Card
          title="Model targets"
          note="Those that were asked since the start, and those with several deployments."
        >
          <Shown of={targets} lines={4}>
            {(data) => (
              <Table
                caption="Deployments of model targets"
                columns={DEPLOYMENTS}
                rows={data.targets.flatMap(spread)}
                rowKey={(row) => `${row.target} ${row.name}`}
                empty={<Empty title="No target was asked yet" icon="routing" />}
              />
            )}
          </Shown>
        </Card>
      </div>
    </>
  );
}

function Backends({ services }: { services: Service[] }) {
  if (!services.length) {
    return (
      <Card title="Services">
        <Empty title="No services stand behind this gateway" icon="services">
          Write <code>[services.NAME]</code> into the configuration, or set{' '}
          <code>AUTH_SERVICE_URL</code> and its like.
        </Empty>
      </Card>
    );
  }
  return (
    <>
      {services.map((one) => (
        <Card
          key={one.name}
          title={one.name}
          note={one.prefixes.join(', ')}
          actions={<Health of={one.backends} />}
        >
          <Table
            caption={`Backends of ${one.name}`}
            columns={BACKENDS}
            rows={one.backends}
            rowKey={(row) => row.url}
            empty={<Empty title="No backend: it answers 503" icon="services" />}
          />
        </Card>
      ))}
    </>
  );
}

function Health({ of }: { of: Backend[] }) {
  const up = of.filter((one) => one.state === 'up').length;
  const tone = up === of.length && up > 0 ? 'good' : up ? 'warn' : 'bad';
  return (
    <Badge tone={tone}>
      {up} of {of.length} up
    </Badge>
  );
}

const BACKENDS: Column<Backend>[] = [
  {
    key: 'url',
    label: 'Backend',
    head: true,
    wide: true,
    render: (row) => <code title={row.url}>{row.url}</code>,
  },
  {
    key: 'state',
    label: 'State',
    value: (row) => row.state,
    render: (row) => (
      <>
        <Badge tone={stateTone(row.state)}>{row.state}</Badge>{' '}
        <span class="note one-line">
          for <Duration ms={row.for * 1000} />
        </span>
      </>
    ),
  },
  { key: 'probe', label: 'Last probe', render: (row) => row.probe },
  { key: 'weight', label: 'Weight', right: true, render: (row) => row.weight },
  { key: 'air', label: 'In the air', right: true, render: (row) => row.in_air },
  { key: 'row', label: 'Failures in a row', right: true, render: (row) => row.failures_in_a_row },
  { key: 'ejections', label: 'Ejections', right: true, render: (row) => row.ejections },
  { key: 'requests', label: 'Requests', render: (row) => <Outcomes of={row.requests} /> },
];

function Outcomes({ of }: { of: Record<string, number> }) {
  const some = Object.entries(of);
  if (!some.length) return <span class="muted">none</span>;
  return (
    <ul class="chips">
      {some.map(([outcome, number]) => (
        <li key={outcome}>
          {words(outcome)} <Count value={number} />
        </li>
      ))}
    </ul>
  );
}

interface Spread extends Deployment {
  target: string;
  only: boolean;
}

function spread(one: Target): Spread[] {
  const only = one.deployments.length === 1;
  return one.deployments.map((each) => ({ ...each, target: one.target, only }));
}

const DEPLOYMENTS: Column<Spread>[] = [
  {
    key: 'target',
    label: 'Target',
    head: true,
    wide: true,
    value: (row) => row.target,
    render: (row) => <Two main={row.target} sub={row.only ? null : row.name} />,
  },
  {
    key: 'state',
    label: 'State',
    value: (row) => state(row),
    render: (row) => (
      <>
        <Badge tone={stateTone(state(row))}>{state(row)}</Badge>
        {row.cooling > 0 && (
          <span class="note one-line">
            {' '}
            for <Duration ms={row.cooling * 1000} />
          </span>
        )}
      </>
    ),
  },
  { key: 'weight', label: 'Weight', right: true, render: (row) => row.weight },
  {
    key: 'used',
    label: 'Of its limits',
    right: true,
    render: (row) =>
      row.requests_per_minute || row.tokens_per_minute ? (
        <Percent share={row.used} />
      ) : (
        <span class="muted">no limits</span>
      ),
  },
  { key: 'air', label: 'In the air', right: true, render: (row) => row.in_air },
  {
    key: 'picks',
    label: 'Asked',
    right: true,
    value: (row) => row.picks,
    render: (row) => <Count value={row.picks} />,
  },
  { key: 'row', label: 'Failures in a row', right: true, render: (row) => row.failures_in_a_row },
];

function state(row: Deployment): string {
  if (row.state !== 'up') return row.state;
  if (row.cooling > 0) return 'cooling';
  return row.full > 0 ? 'full' : 'up';
}

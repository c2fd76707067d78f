/** How each route chooses, how far what was learned can be trusted, and whether switching it on would show a gain. */
import { Badge, Count, Money, Time } from '../components/figures';
import { Card, Shown } from '../components/card';
import { Facts } from '../components/facts';
import { PageHead } from '../components/page';
import { Empty } from '../components/states';
import { Table, type Column } from '../components/table';
import { useLoad } from '../lib/load';
import type { Artefact, Certificate, Offer, Route, Routing as Told } from '../lib/records';

export default function Routing() {
  const told = useLoad<Told>('/admin/routing');
  return (
    <>
      <PageHead
        title="Routing"
        note="A route is a name that callers ask for; its policy picks the target."
      />
      <Shown of={told} lines={10}>
        {({ routes, artefact, certificate, labels }) => (
          <div class="grid">
            <Card title="Learned router" class="half">
              {artefact ? <Learned artefact={artefact} /> : <NotLearned />}
            </Card>
            <Certified certificate={certificate} labels={labels} />
            {routes.map((route) => (
              <RouteCard key={route.route} route={route} />
            ))}
          </div>
        )}
      </Shown>
    </>
  );
}

function NotLearned() {
  return (
    <Empty title="No route uses a learned router" icon="routing">
      Set <code>policy = "learned"</code> on a route once your labels show a gain.
    </Empty>
  );
}

function Learned({ artefact }: { artefact: Artefact }) {
  return (
    <>
      <Facts
        facts={{
          Name: <code>{artefact.name}</code>,
          Trained: <Time at={artefact.trained} />,
          'On labels': <Count value={artefact.rows} />,
          ...Object.fromEntries(
            Object.entries(artefact.figures).map(([name, value]) => [
              name.toUpperCase(),
              figure(value),
            ]),
          ),
        }}
      />
      {artefact.trust && <p class="quote">{artefact.trust}</p>}
    </>
  );
}

function round(value: unknown): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(3))) : String(value);
}

function figure(value: unknown): string {
  if (!Array.isArray(value)) return round(value);
  const [middle, low, high] = value.map(round);
  return low === undefined ? String(middle) : `${middle} (${low} to ${high})`;
}

function Certified({ certificate, labels }: Pick<Told, 'certificate' | 'labels'>) {
  return (
    <Card
      title="Certificate"
      class="half"
      note="Would switching the learned router on show a gain, by the labels so far?"
    >
      <Facts
        facts={{
          Labels: <Count value={labels.rows} />,
          Newest: labels.newest && <Time at={labels.newest} relative />,
          Answer: certificate && <Verdict certificate={certificate} />,
          Why: certificate?.reason,
        }}
      />
    </Card>
  );
}

function Verdict({ certificate }: { certificate: Certificate }) {
  return (
    <Badge tone={certificate.certified ? 'good' : 'warn'}>
      {certificate.certified ? 'yes' : 'not shown'}
    </Badge>
  );
}

function RouteCard({ route }: { route: Route }) {
  return (
    <Card title={route.route} note={<>Policy {route.policy}</>}>
      <Table
        caption={`Offers of ${route.route}`}
        columns={OFFERS}
        rows={route.offers}
        rowKey={(_, at) => at}
      />
    </Card>
  );
}

const OFFERS: Column<Offer>[] = [
  {
    key: 'target',
    label: 'Target',
    head: true,
    wide: true,
    render: (row) => <span title={row.target}>{row.target}</span>,
  },
  {
    key: 'input',
    label: 'Input, a million tokens',
    right: true,
    render: (row) => <Money nanos={row.price?.input} />,
  },
  {
    key: 'output',
    label: 'Output, a million tokens',
    right: true,
    render: (row) => <Money nanos={row.price?.output} />,
  },
];

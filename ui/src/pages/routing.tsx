/** How each route chooses, how far what was learned can be trusted, and whether switching it on would show a gain. */
import type { ComponentChildren } from 'preact';
import { Card, Shown } from '../components/card';
import { Facts } from '../components/facts';
import { Badge, Count, Percent, Time, type Tone } from '../components/figures';
import { PageHead } from '../components/page';
import { Empty } from '../components/states';
import { Table, type Column } from '../components/table';
import { percent, roundDollars } from '../lib/format';
import { useLoad } from '../lib/load';
import type {
  Artefact,
  Certificate,
  Interval,
  Offer,
  Price,
  Route,
  Routing as Told,
  Shadow,
} from '../lib/records';

export default function Routing() {
  const told = useLoad<Told>('/admin/routing');
  return (
    <>
      <PageHead
        title="Routing"
        note="A route is a name that callers ask for; its policy picks the target."
      />
      <Shown of={told} lines={10}>
        {(data) => (
          <div class="grid">
            <Card title="Learned router" class="half">
              {data.artefact ? <Learned artefact={data.artefact} /> : <NotLearned />}
            </Card>
            <Certified certificate={data.certificate} labels={data.labels} />
            {data.routes.map((route) => (
              <RouteCard
                key={route.route}
                route={route}
                labels={data.labels.byRoute[route.route]}
              />
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
      A route with <code>policy = "learned"</code> sends to its strong target what gains by it.
      Collect labels with <code>[routes.NAME.shadow]</code> first.
    </Empty>
  );
}

function Learned({ artefact }: { artefact: Artefact }) {
  const { apgr, apgrLow, apgrHigh } = artefact.figures;
  return (
    <>
      <Facts
        facts={{
          Name: <code>{artefact.name}</code>,
          Source: artefact.source,
          Trained: <Time at={artefact.trained} />,
          'On labels': <Count value={artefact.rows} />,
          'Gap closed (APGR)': around({ value: apgr, low: apgrLow, high: apgrHigh }, (one) =>
            one.toFixed(3),
          ),
        }}
      />
      {artefact.trust && (
        <div class="quote">
          <h3>How far it can be trusted</h3>
          <p>{artefact.trust}</p>
        </div>
      )}
    </>
  );
}

/** A figure with its 95 % interval. */
function around(
  of: Interval | undefined,
  format: (value: number) => string = percent,
): string | null {
  return of ? `${format(of.value)} (${format(of.low)} to ${format(of.high)})` : null;
}

function Certified({ certificate, labels }: Pick<Told, 'certificate' | 'labels'>) {
  return (
    <Card
      title="Certificate"
      class="half"
      note="Would switching the learned router on show a gain, by labels that it cannot have learned from?"
      actions={certificate && <Verdict of={certificate} />}
    >
      <Facts
        facts={{
          'Labels so far': <Count value={labels.rows} />,
          Newest: labels.newest && <Time at={labels.newest} relative />,
          ...(certificate && figures(certificate)),
        }}
      />
      {certificate?.reason && <p class="quote">{certificate.reason}</p>}
      {!certificate && <p class="quote">There is no learned router to judge.</p>}
    </Card>
  );
}

function figures(of: Certificate): Record<string, ComponentChildren> {
  return {
    'Labels since it was made': <Count value={of.rows} />,
    Route: of.route,
    'Quality to keep': <Percent share={of.target} />,
    'Quality kept': around(of.quality),
    'At least, with 95 % certainty': of.least === undefined ? null : <Percent share={of.least} />,
    'Sent to the strong target':
      of.strongShare === undefined ? null : <Percent share={of.strongShare} />,
    [`Saving${of.savingOf ? ` of ${of.savingOf}` : ''}`]: around(of.saving),
    'Better than chance by': around(of.overChance, (one) => one.toFixed(3)),
  };
}

const VERDICTS: Record<string, [string, Tone]> = {
  true: ['yes', 'good'],
  false: ['no', 'bad'],
  null: ['not enough labels', 'warn'],
};

function Verdict({ of }: { of: Certificate }) {
  const [text, tone] = VERDICTS[String(of.certified)] ?? ['unknown', 'plain'];
  return <Badge tone={tone}>{text}</Badge>;
}

function RouteCard({ route, labels }: { route: Route; labels: number | undefined }) {
  const { policy, quality, strongShare, shadow, model } = route;
  return (
    <Card title={route.route} note={route.verb === 'embed' ? 'For embeddings' : 'For chats'}>
      <div class="stack close">
        <Facts
          facts={{
            Policy: policy,
            'Quality to keep': quality === null ? null : <Percent share={quality} />,
            'To the strong target': strongShare === null ? null : <Percent share={strongShare} />,
            Router: model && <code>{model.name}</code>,
            Shadow: shadow && shadowed(shadow),
            Labels: labels ? <Count value={labels} /> : null,
          }}
        />
        <Table
          caption={`Offers of ${route.route}`}
          columns={OFFERS}
          rows={route.offers}
          rowKey={(_, at) => at}
          empty={<Empty title="No target is configured for it" icon="routing" />}
        />
      </div>
    </Card>
  );
}

function shadowed({ share, moneyPerDay, judge }: Shadow): string {
  return `${percent(share)} of chats asked twice, judged by ${judge}, at most $${moneyPerDay} a day`;
}

const OFFERS: Column<Offer>[] = [
  {
    key: 'target',
    label: 'Target',
    head: true,
    wide: true,
    render: (row) => <span title={row.target}>{row.target}</span>,
  },
  priced('input', 'Input'),
  priced('cachedInput', 'Cached input'),
  priced('output', 'Output'),
];

function priced(key: keyof Price, label: string): Column<Offer> {
  return {
    key,
    label: `${label}, a million tokens`,
    right: true,
    render: (row) =>
      row.price ? roundDollars(row.price[key]) : <span class="muted">not known</span>,
  };
}

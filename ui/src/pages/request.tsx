/** One request: why it went where it went, what was tried, and every row that the ledger has of it. */
import type { ComponentChildren } from 'preact';
import { Badge, Count, Duration, Time } from '../components/figures';
import { Card, Shown } from '../components/card';
import { Copy } from '../components/copy';
import { Facts } from '../components/facts';
import { PageHead } from '../components/page';
import { Empty } from '../components/states';
import { Table, type Column } from '../components/table';
import { count, dollars, exactDollars } from '../lib/format';
import { useLoad } from '../lib/load';
import type { Explained, Step, Warm, Why } from '../lib/records';
import { href } from '../lib/router';
import { counted, statusTone, words } from '../lib/words';

export default function Request({ params }: { params: Record<string, string> }) {
  const id = params['id'] ?? '';
  const told = useLoad<Explained>(`/admin/requests/${encodeURIComponent(id)}`);
  const unknown = told.error?.status === 404;
  return (
    <>
      <PageHead title="Request" note={<Named id={id} />}>
        <a class="button" href={href('/requests')}>
          All requests
        </a>
      </PageHead>
      {unknown ? (
        <Card title="Unknown">
          <Empty title="There is no such request">
            Its id may be mistyped, or it came so long ago that it is kept no more.
          </Empty>
        </Card>
      ) : (
        <Shown of={told} lines={10}>
          {(one) => <Parts one={one} />}
        </Shown>
      )}
    </>
  );
}

function Named({ id }: { id: string }) {
  return (
    <span class="named">
      <code>{id}</code> <Copy text={id} label="Copy the id" />
    </span>
  );
}

function Parts({ one }: { one: Explained }) {
  return (
    <div class="grid">
      <Card title="What happened" class="half">
        <Facts facts={happened(one)} />
      </Card>
      <Card title="Why this target" class="half" note={verdict(one)}>
        {one.decision ? (
          <Decision one={one} why={one.decision} />
        ) : (
          <Empty title="No decision record">
            It is still running, or its record was lost in a crash.
          </Empty>
        )}
      </Card>
      <Card
        title="Ledger"
        note="What was held before it was sent, and what it took in the end; costs to the nano-dollar."
      >
        <Table
          caption="Rows of the ledger"
          columns={STEPS}
          rows={one.ledger}
          rowKey={(_, at) => at}
          empty={<Empty title="No rows">Nothing was held or spent for it.</Empty>}
        />
      </Card>
    </div>
  );
}

function happened(one: Explained): Record<string, ComponentChildren> {
  const why = one.decision;
  return {
    Time: <Time at={one.time} precise />,
    Who: one.user ? `${one.user} of ${one.tenant}` : null,
    Tier: why?.tier,
    Kind: one.service,
    'Asked for': why?.asked,
    Route: one.route,
    Target: one.target,
    Deployment: why?.deployment,
    Status: (
      <>
        <Badge tone={statusTone(one.status)}>{one.status ?? 'running'}</Badge>
        {one.code && ` ${words(one.code)}`}
      </>
    ),
    Cache: one.cache,
    Tokens: (
      <>
        <Count value={one.input} /> in, <Count value={one.output} /> out
      </>
    ),
    Cost: <span class="number">{exactDollars(one.costNanos)}</span>,
    'Held at most': why && why.reservedNanos !== '0' ? exactDollars(why.reservedNanos) : null,
    Price: price(why?.price ?? null),
    Took: <Duration ms={one.latencyMs} />,
    'First piece after': one.firstMs !== null ? <Duration ms={one.firstMs} /> : null,
    Streamed: one.stream ? 'yes' : null,
    'Of that upstream': why?.upstreamMs ? <Duration ms={why.upstreamMs} /> : null,
  };
}

/** In one sentence, what became of it. */
function verdict(one: Explained): string {
  const tried = targets(one.ledger);
  if (one.cache === 'hit') return 'It was answered from the cache: no target was asked.';
  if (!tried.length) {
    return one.status !== null && one.status >= 400
      ? 'It was refused before any target was asked.'
      : 'No target was asked.';
  }
  const more = tried.length > 1 ? ` after ${tried.slice(0, -1).join(', ')}` : '';
  if (one.status !== null && one.status >= 500)
    return `Tried ${tried.join(', then ')}; none answered.`;
  return `${one.target ?? tried.at(-1)} was asked${more}.`;
}

function Decision({ one, why }: { one: Explained; why: Why }) {
  const features = Object.entries(why.features ?? {});
  return (
    <div class="stack close">
      <Facts
        facts={{
          Policy: why.policy,
          Reason: why.reason,
          Arm: why.arm === one.route ? null : why.arm,
          Warm: why.warm ? warmth(why.warm) : null,
          Tries: why.tries ? String(why.tries) : null,
          'Seen in it': features.length ? <Features of={features} /> : null,
        }}
      />
      {why.offers.length > 0 && <Offers one={one} offers={why.offers} />}
    </div>
  );
}

function warmth({ target, deployment, tokens, insteadOf, savesNanos }: Warm): string {
  const where = deployment ? `${target} (${deployment})` : target;
  const first = insteadOf ? ` went before ${insteadOf}` : '';
  const saves = savesNanos ? `, which was to save ${exactDollars(savesNanos)}` : '';
  return `${where}${first}: ${count(tokens)} tokens of this conversation are warm there${saves}`;
}

function Features({ of }: { of: [string, unknown][] }) {
  return (
    <ul class="chips">
      {of.map(([name, value]) => (
        <li key={name}>
          {words(name)} <strong>{shown(value)}</strong>
        </li>
      ))}
    </ul>
  );
}

function shown(value: unknown): string {
  if (value === true) return 'yes';
  if (value === false) return 'no';
  return typeof value === 'number' ? String(Number(value.toPrecision(4))) : String(value);
}

/** The offers in the order of the policy, and what became of each. */
function Offers({ one, offers }: { one: Explained; offers: string[] }) {
  const tried = targets(one.ledger);
  return (
    <div>
      <h3>{counted(offers.length, 'offer')} considered, best first</h3>
      <ol class="offers">
        {offers.map((offer) => (
          <li key={offer}>
            <code>{offer}</code> <Fate offer={offer} one={one} tried={tried} />
          </li>
        ))}
      </ol>
    </div>
  );
}

function Fate({ offer, one, tried }: { offer: string; one: Explained; tried: string[] }) {
  if (offer === one.target && tried.includes(offer)) return <Badge tone="good">answered</Badge>;
  if (tried.includes(offer)) return <Badge tone="bad">failed</Badge>;
  return <Badge>not asked</Badge>;
}

/** Whom it was sent to, in order, each once. */
function targets(ledger: Step[]): string[] {
  const sent = ledger.filter((step) => step.stage === 'dispatched' && step.target);
  return [...new Set(sent.map((step) => step.target ?? ''))];
}

function price(text: string | null): ComponentChildren {
  if (!text) return null;
  try {
    const { input, output, since } = JSON.parse(text) as Record<string, string | number>;
    return `${dollars(input ?? 0)} in, ${dollars(output ?? 0)} out a million tokens${since ? `, since ${since}` : ''}`;
  } catch {
    return text;
  }
}

const STAGES: Record<string, string> = {
  reserve: 'The most that it can take is held.',
  dispatched: 'It is sent, and may be charged from here on.',
  final: 'How it ended, and what it took.',
  correction: 'What the provider’s own books say later.',
};

/** What is held is money alone. */
const held = (step: Step): boolean => step.stage === 'reserve';

const STEPS: Column<Step>[] = [
  {
    key: 'stage',
    label: 'Stage',
    head: true,
    render: (step) => <span title={STAGES[step.stage] ?? ''}>{step.stage}</span>,
  },
  { key: 'at', label: 'Time', render: (step) => <Time at={step.at} precise /> },
  { key: 'attempt', label: 'Attempt', right: true, render: (step) => step.attempt },
  { key: 'ended', label: 'Ended', render: (step) => step.ended ?? <span class="muted">–</span> },
  { key: 'target', label: 'Target', render: (step) => step.target ?? <span class="muted">–</span> },
  {
    key: 'input',
    label: 'Input',
    right: true,
    render: (step) => (
      <Tokens
        most={step.most_input}
        parts={held(step) ? [] : [step.input, step.cached_input, step.cache_write]}
      />
    ),
  },
  {
    key: 'output',
    label: 'Output',
    right: true,
    render: (step) => <Tokens most={step.most_output} parts={held(step) ? [] : [step.output]} />,
  },
  {
    key: 'cost',
    label: 'Amount',
    right: true,
    render: (step) => <span class="number">{exactDollars(step.costNanos ?? 0)}</span>,
  },
];

function Tokens({ most, parts }: { most: number | undefined; parts: (number | undefined)[] }) {
  if (!parts.length) return <span class="muted">–</span>;
  if (most !== undefined) return <span title="At most">≤ {most}</span>;
  return <>{parts.reduce<number>((sum, one) => sum + (one ?? 0), 0)}</>;
}

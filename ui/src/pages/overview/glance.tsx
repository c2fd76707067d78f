/** The figures that people open the page for. */
import { Card, Shown } from '../../components/card';
import { Count, Duration, Money, Percent, Stat } from '../../components/figures';
import { percent } from '../../lib/format';
import type { Loaded } from '../../lib/load';
import type { Overview, Savings } from '../../lib/types';

export function Glance({ figures }: { figures: Loaded<Overview> }) {
  return (
    <Card title="At a glance">
      <Shown of={figures} lines={5}>
        {({ totals, latency, errors, savings }) => (
          <dl class="stats glance">
            <Stat label="Saved" hero note={<Against savings={savings} />}>
              <Money nanos={savings?.savedNanos} />
            </Stat>
            <Stat label="Spent" hero note={<Each nanos={totals.costNanos} of={totals.requests} />}>
              <Money nanos={totals.costNanos} />
            </Stat>
            <Stat label="Requests" note={<Tokens value={totals.tokens} />}>
              <Count value={totals.requests} />
            </Stat>
            <Stat label="From the cache" note={<Of value={totals.cached} one="hit" />}>
              <Percent share={totals.cachedShare} />
            </Stat>
            <Stat label="Served free" note="hits and free models">
              <Percent share={totals.freeShare} />
            </Stat>
            <Stat label="Typical time" note="half are faster (p50)">
              <Duration ms={latency?.p50_ms} />
            </Stat>
            <Stat label="Slow time" note="one in 20 is slower (p95)">
              <Duration ms={latency?.p95_ms} />
            </Stat>
            <Stat label="Failed" note={<Of value={errors?.number} one="request" />}>
              <span class={errors?.number ? 'bad-text' : ''}>
                <Percent share={errors?.share} />
              </span>
            </Stat>
          </dl>
        )}
      </Shown>
    </Card>
  );
}

function Against({ savings }: { savings: Savings | null | undefined }) {
  if (!savings) return <>no price is known for a baseline</>;
  return (
    <>
      {savings.share === null ? '' : `${percent(savings.share)} `}
      against all by <code>{savings.baseline}</code>
    </>
  );
}

function Each({ nanos, of }: { nanos: string; of: number }) {
  if (!of) return <>no requests yet</>;
  return (
    <>
      <Money nanos={String(BigInt(nanos) / BigInt(of))} /> a request
    </>
  );
}

function Tokens({ value }: { value: number }) {
  return (
    <>
      <Count value={value} /> {value === 1 ? 'token' : 'tokens'}
    </>
  );
}

function Of({ value, one }: { value: number | undefined; one: string }) {
  return (
    <>
      <Count value={value} /> {value === 1 ? one : `${one}s`}
    </>
  );
}

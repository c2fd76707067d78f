/** What was saved, what is being spent, how it goes: live. */
import { Card, Shown } from '../components/card';
import { Count, Duration, Money, Percent, Stat } from '../components/figures';
import { PageHead } from '../components/page';
import { RangePicker, useRange } from '../components/range';
import { useLoad } from '../lib/load';
import type { Overview as Figures } from '../lib/types';

export default function Overview() {
  const { from, to } = useRange();
  const figures = useLoad<Figures>('/admin/reports/overview', { from, to }, 5000);
  return (
    <>
      <PageHead title="Overview">
        <RangePicker />
      </PageHead>
      <div class="stack">
        <Card title="At a glance">
          <Shown of={figures} lines={3}>
            {({ totals, latency, savings }) => (
              <dl class="stats">
                <Stat label="Saved" hero>
                  <Money nanos={savings?.savedNanos} />
                </Stat>
                <Stat label="Spent" hero>
                  <Money nanos={totals.costNanos} />
                </Stat>
                <Stat label="Requests">
                  <Count value={totals.requests} />
                </Stat>
                <Stat label="Cache hits">
                  <Percent share={totals.cachedShare} />
                </Stat>
                <Stat label="Typical time">
                  <Duration ms={latency?.p50_ms} />
                </Stat>
              </dl>
            )}
          </Shown>
        </Card>
      </div>
    </>
  );
}

/** Spend, requests and tokens over the range, by model. */
import { useState } from 'preact/hooks';
import { Card, Shown } from '../../components/card';
import { Chart } from '../../components/chart';
import { Segments } from '../../components/field';
import { Empty } from '../../components/states';
import { period, roundDollars, short } from '../../lib/format';
import { pace } from '../../lib/live';
import { useLoad } from '../../lib/load';
import { days, type Range } from '../../lib/range';
import { groupName, periods, pivot } from '../../lib/series';
import type { Series, SeriesRow } from '../../lib/types';

interface Metric {
  text: string;
  value: (row: SeriesRow) => number;
  format: (value: number) => string;
}

const METRICS: Record<string, Metric> = {
  spend: { text: 'Spend', value: (row) => row.cost, format: roundDollars },
  requests: { text: 'Requests', value: (row) => row.requests, format: short },
  tokens: { text: 'Tokens', value: (row) => row.tokens, format: short },
};
const SPEND = METRICS['spend'] as Metric;

export function Spend({ range }: { range: Range }) {
  const { from, to } = range;
  const by = days(range) <= 2 ? 'hour' : days(range) > 92 ? 'month' : 'day';
  const series = useLoad<Series>('/admin/reports/series', { from, to, by, of: 'model' }, pace(30));
  const [chosen, choose] = useState('spend');
  const metric = METRICS[chosen] ?? SPEND;
  return (
    <Card
      title={`${metric.text} by ${by}`}
      class="fill"
      actions={
        <Segments
          label="What is drawn"
          value={chosen}
          options={Object.entries(METRICS).map(([value, { text }]) => ({ value, text }))}
          onChoose={choose}
        />
      }
    >
      <Shown of={series} lines={8}>
        {({ rows }) => {
          const places = periods(from, to, by);
          const lines = pivot(rows, places, (row) => groupName(row, 'model'), metric.value, 6);
          if (!lines.length) {
            return (
              <Empty title={`No ${metric.text.toLowerCase()} in this range`} icon="usage">
                It appears here a moment after a request was answered.
              </Empty>
            );
          }
          return (
            <Chart
              title={`${metric.text} by ${by} and model`}
              labels={places.map((one) => period(one, from === to))}
              series={lines}
              kind="bars"
              stacked
              format={metric.format}
              height={240}
            />
          );
        }}
      </Shown>
    </Card>
  );
}

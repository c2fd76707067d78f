/** A chart over periods, with the same figures as a table for whoever does not see it, or wants to read them. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { colours } from '../lib/theme';
import type { Plot } from './plot';
import { Empty } from './states';
import { Table, type Column } from './table';

export interface ChartSeries {
  label: string;
  /** One a label; null where nothing is known. */
  values: (number | null)[];
}

export interface ChartProps {
  /** What it shows, in words. */
  title: string;
  /** Of the periods, in order. */
  labels: string[];
  series: ChartSeries[];
  kind?: 'bars' | 'lines';
  /** Bars on top of each other, adding up. */
  stacked?: boolean;
  format: (value: number) => string;
  height?: number;
  /** What a period is called at the head of the table. */
  period?: string;
}

export function Chart(props: ChartProps) {
  const [asTable, setAsTable] = useState(false);
  if (!props.labels.length) return <Empty title="Nothing in this span" icon="usage" />;
  return (
    <div class="chart">
      <div class="chart-bar">
        <Legend series={props.series} />
        <button
          type="button"
          class="button quiet small"
          aria-pressed={asTable}
          onClick={() => setAsTable(!asTable)}
        >
          {asTable ? 'Show as chart' : 'Show as table'}
        </button>
      </div>
      {asTable ? <Figures {...props} /> : <Drawn {...props} />}
    </div>
  );
}

function Legend({ series }: { series: ChartSeries[] }) {
  if (series.length < 2) return <span />;
  return (
    <ul class="legend">
      {series.map((one, at) => (
        <li key={one.label}>
          <span class={`swatch c${(at % 8) + 1}`} aria-hidden="true" />
          {one.label}
        </li>
      ))}
    </ul>
  );
}

function Figures({ title, labels, series, format, period = 'Period' }: ChartProps) {
  const columns: Column<number>[] = [
    { key: 'period', label: period, head: true, render: (at) => labels[at], value: (at) => at },
    ...series.map((one, index) => ({
      key: `s${index}`,
      label: one.label,
      right: true,
      render: (at: number) => told(one.values[at], format),
      value: (at: number) => one.values[at],
    })),
  ];
  return (
    <Table
      caption={title}
      columns={columns}
      rows={labels.map((_, at) => at)}
      rowKey={(at) => at}
      tall
    />
  );
}

function told(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '–' : format(value);
}

/** uPlot comes when the first chart does: the figures beside it do not wait for it. Where it does not come, they stay a table. */
function Drawn(props: ChartProps) {
  const { title, labels, series, kind, stacked, height = 220 } = props;
  const box = useRef<HTMLDivElement>(null);
  const newest = useRef(props);
  newest.current = props;
  const plot = useRef<Plot | null>(null);
  const [absent, setAbsent] = useState(false);
  const worn = colours.value;
  const shape = JSON.stringify([title, labels, series.map((one) => one.label), kind, stacked]);
  const values = JSON.stringify(series.map((one) => one.values));

  useEffect(() => {
    let gone = false;
    import('./plot').then(
      ({ draw }) => {
        if (!gone && box.current) plot.current = draw(box.current, newest.current, height);
      },
      () => setAbsent(true),
    );
    return () => {
      gone = true;
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, worn, height]);
  useEffect(() => plot.current?.update(newest.current), [values]);

  if (absent) return <Figures {...props} />;
  return (
    <div
      ref={box}
      class={height > 150 ? 'plot' : 'plot low'}
      role="img"
      aria-label={`Chart: ${title}. The same figures are behind “Show as table”.`}
    />
  );
}

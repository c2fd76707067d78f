/** Who used what, when, and what it cost: by hour, day or month, of models, users and the rest, narrowed by filters. */
import { Card, Shown } from '../components/card';
import { Chart } from '../components/chart';
import { Segments, Select } from '../components/field';
import { Filters, useFilters, type Filter } from '../components/filters';
import { Icon } from '../components/icon';
import { PageHead } from '../components/page';
import { RangePicker, useRange } from '../components/range';
import { Empty } from '../components/states';
import { csv, download } from '../lib/csv';
import { period } from '../lib/format';
import { useLoad, type Loaded } from '../lib/load';
import { days, type Range } from '../lib/range';
import { choose, query } from '../lib/router';
import { groupName, periods, pivot, type By } from '../lib/series';
import type { Series, SeriesRow, Top } from '../lib/types';
import { METRIC_OPTIONS, metricOf, type Metric } from './usage/metrics';
import { Rows } from './usage/rows';

const GROUPS = [
  { value: '', text: 'Everything' },
  { value: 'model', text: 'Model' },
  { value: 'provider', text: 'Provider' },
  { value: 'route', text: 'Route' },
  { value: 'service', text: 'Service' },
  { value: 'tenant', text: 'Tenant' },
  { value: 'user', text: 'User' },
];
const PERIODS: By[] = ['hour', 'day', 'month'];
const FILTERS: Filter[] = [
  { name: 'service', label: 'Service', suggestions: ['chat', 'embed', 'rag'] },
  { name: 'provider', label: 'Provider' },
  { name: 'model', label: 'Model' },
  { name: 'route', label: 'Route' },
  { name: 'tenant', label: 'Tenant' },
  { name: 'user', label: 'User' },
];
/** As many hours as a chart shows one by one. */
const MOST_DAYS_BY_HOUR = 31;

export default function Usage() {
  const range = useRange();
  const filters = useFilters(FILTERS.map((one) => one.name));
  const of = GROUPS.find((one) => one.value === query.value['of'])?.value ?? '';
  const by = byOf(query.value['by'], of, range);
  const metric = metricOf(query.value['show']);
  const span = { from: range.from, to: range.to, ...filters };
  // A user is one of a tenant: until that is named too there is nothing to ask.
  const asks = !filters['user'] || Boolean(filters['tenant']);
  const series = useLoad<Series>(asks ? '/admin/reports/series' : null, { ...span, by, of });
  // Thousands of users by the day are more than anybody reads: then all of them together are drawn.
  const many = series.error?.code === 'too_many_groups' && of !== '';
  const together = useLoad<Series>(many ? '/admin/reports/series' : null, { ...span, by });
  const top = useLoad<Top>(asks && of ? '/admin/reports/top' : null, { ...span, of, limit: 100 });
  return (
    <>
      <PageHead title="Usage" note="Periods are UTC, as the ledger counts them.">
        <RangePicker />
      </PageHead>
      <div class="stack">
        <Asked of={of} by={by} range={range} />
        {asks ? (
          <>
            <Over
              series={many ? together : series}
              many={many}
              range={range}
              of={of}
              by={by}
              metric={metric}
            />
            <Rows series={series} top={top} of={of} />
          </>
        ) : (
          <Card title="Whose user?">
            <Empty title="Name the user’s tenant too">
              The same name may be in use by several tenants.
            </Empty>
          </Card>
        )}
        <Whole />
      </div>
    </>
  );
}

/** Of tenants and users there are sums of days alone. */
function byOf(asked: string | undefined, of: string, range: Range): By {
  const by = PERIODS.find((one) => one === asked) ?? (days(range) <= 2 ? 'hour' : 'day');
  return by === 'hour' && hourless(of, range) ? 'day' : by;
}

function hourless(of: string, range: Range): boolean {
  return of === 'tenant' || of === 'user' || days(range) > MOST_DAYS_BY_HOUR;
}

function Asked({ of, by, range }: { of: string; by: By; range: Range }) {
  const steps = PERIODS.filter((one) => one !== 'hour' || !hourless(of, range));
  return (
    <Card title="What to show">
      <div class="asked">
        <Select
          label="Group by"
          value={of}
          options={GROUPS}
          onChoose={(value) => choose({ of: value }, true)}
        />
        <div class="field">
          <span class="label" aria-hidden="true">
            Step
          </span>
          <Segments
            label="Step"
            value={by}
            options={steps.map((value) => ({
              value,
              text: value[0]?.toUpperCase() + value.slice(1),
            }))}
            onChoose={(value) => choose({ by: value })}
          />
        </div>
      </div>
      <Filters filters={FILTERS} />
    </Card>
  );
}

interface OverProps {
  /** Too many groups to be drawn one by one. */
  many: boolean;
  series: Loaded<Series>;
  range: Range;
  of: string;
  by: By;
  metric: Metric;
}

function Over({ series, many, range, of, by, metric }: OverProps) {
  return (
    <Card
      title={`${metric.text} by ${by}`}
      note={many && 'Too many groups to draw one by one: all of them together.'}
      actions={
        <>
          <Select
            label="What is drawn"
            quiet
            value={metric.key}
            options={METRIC_OPTIONS}
            onChoose={(show) => choose({ show: show === 'cost' ? null : show })}
          />
          <CsvButton rows={series.data?.rows ?? []} name={`usage-by-${by}${of && `-and-${of}`}`} />
        </>
      }
    >
      <Shown of={series} lines={8}>
        {(data) => <Drawn data={data} range={range} metric={metric} />}
      </Shown>
    </Card>
  );
}

function Drawn({ data, range, metric }: { data: Series; range: Range; metric: Metric }) {
  const { rows, of } = data;
  const by = data.by as By;
  const places = periods(range.from, range.to, by);
  const labels = places.map((one) => period(one, range.from === range.to));
  const known = !rows.length || rows.some((row) => metric.known(row) !== null);
  if (metric.adds && known) {
    const lines = pivot(rows, places, (row) => groupName(row, of), metric.value);
    if (!lines.length) return <Empty title={`No ${metric.text.toLowerCase()} here`} icon="usage" />;
    return (
      <Chart
        title={`${metric.text} by ${by}`}
        labels={labels}
        series={lines}
        kind="bars"
        stacked
        format={metric.format}
        height={260}
      />
    );
  }
  const lines = separate(rows, places, of, metric);
  if (!lines.length) {
    return (
      <Empty title={`${metric.text} ${metric.adds ? 'are' : 'is'} not known here`} icon="usage">
        {metric.adds
          ? 'They are not counted by tenants and users.'
          : 'It is not told of tenants and users, nor where there are more than 200 rows: take fewer days, a longer step or a filter.'}
      </Empty>
    );
  }
  return (
    <Chart
      title={`${metric.text} by ${by}`}
      labels={labels}
      series={lines}
      format={metric.format}
      height={260}
    />
  );
}

/** Shares and times do not add up: each group is a line of its own, those with the most requests first. */
function separate(rows: SeriesRow[], places: string[], of: string, metric: Metric) {
  const asked = pivot(
    rows,
    places,
    (row) => groupName(row, of),
    (row) => row.requests,
    6,
  );
  return asked
    .map(({ label }) => {
      const known = new Map<string, number | null>();
      for (const row of rows) {
        if (groupName(row, of) === label && row.requests > 0)
          known.set(row.period, metric.known(row));
      }
      return { label, values: places.map((one) => known.get(one) ?? null) };
    })
    .filter((one) => one.values.some((value) => value !== null));
}

function CsvButton({ rows, name }: { rows: SeriesRow[]; name: string }) {
  const flat = () =>
    rows.map(({ latency, ...row }) => ({
      ...row,
      p50_ms: latency?.p50_ms,
      p95_ms: latency?.p95_ms,
    }));
  return (
    <button
      type="button"
      class="button"
      disabled={!rows.length}
      onClick={() => download(`${name}.csv`, csv(flat()))}
    >
      <Icon name="download" size={15} /> CSV
    </button>
  );
}

const TABLES = [
  { name: 'usage_hours', text: 'Sums by the hour' },
  { name: 'usage_owners', text: 'Sums by user' },
  { name: 'ledger', text: 'The whole ledger' },
];

function Whole() {
  return (
    <Card title="Whole tables" note="Everything there is, whatever is chosen above.">
      <ul class="downloads">
        {TABLES.map(({ name, text }) => (
          <li key={name}>
            <span>{text}</span>
            <a
              class="button small"
              href={`/admin/export/${name}?format=csv`}
              download={`${name}.csv`}
            >
              CSV<span class="hidden"> of {name}</span>
            </a>
            <a
              class="button small"
              href={`/admin/export/${name}?format=json`}
              download={`${name}.json`}
            >
              JSON<span class="hidden"> of {name}</span>
            </a>
          </li>
        ))}
      </ul>
    </Card>
  );
}

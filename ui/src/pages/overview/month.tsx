/** The month's bill by line: so far, as things go, and against what it may be. */
import { Card, Shown } from '../../components/card';
import { Badge, Meter, Money, type Tone } from '../../components/figures';
import { dollars, period } from '../../lib/format';
import { pace } from '../../lib/live';
import { useLoad } from '../../lib/load';
import type { CostLine, Costs } from '../../lib/types';

const NAMES: Record<string, string> = {
  edge: 'Edge',
  models: 'Models',
  backend: 'Backend',
  databases: 'Databases',
};

export function Month() {
  const costs = useLoad<Costs>('/admin/reports/costs', {}, pace(30));
  const month = costs.data ? period(costs.data.month) : 'This month';
  return (
    <Card title={`${month}’s bill`} class="fill">
      <Shown of={costs} lines={8}>
        {({ lines, totals, preset }) => (
          <>
            <Whole totals={totals} />
            <ul class="lines">
              {lines.map((line) => (
                <Line key={line.line} line={line} />
              ))}
            </ul>
            <p class="note">By line as forecast; the mark on a bar is what is spent to date.</p>
            {preset && (
              <p class="note">
                Budgets are presets; set your own in <code>[[costs]]</code>.
              </p>
            )}
          </>
        )}
      </Shown>
    </Card>
  );
}

function Whole({ totals }: { totals: Costs['totals'] }) {
  const over = exceeds(totals.forecast_nanos, totals.budget_nanos);
  return (
    <dl class="stats halves">
      <div class="stat">
        <dt>To date</dt>
        <dd>
          <span class="stat-value">
            <Money nanos={totals.to_date_nanos} />
          </span>
          <span class="stat-note">
            before: <Money nanos={totals.before_nanos} /> a month
          </span>
        </dd>
      </div>
      <div class="stat">
        <dt>Forecast</dt>
        <dd>
          <span class="stat-value">
            <Money nanos={totals.forecast_nanos} />
          </span>
          <span class="stat-note">
            <Badge tone={over ? 'bad' : 'good'}>
              {over ? 'over' : 'within'} {dollars(totals.budget_nanos)}
            </Badge>
          </span>
        </dd>
      </div>
    </dl>
  );
}

function Line({ line }: { line: CostLine }) {
  const name = NAMES[line.line] ?? line.line;
  const budget = line.budget_nanos;
  return (
    <li>
      <div class="line-head">
        <span title={line.parts.join(', ')}>{name}</span>
        <span>
          <Money nanos={line.forecast_nanos} />
          <span class="muted">
            {budget === null ? ' · no budget' : ` of ${dollars(budget)}`}
            {line.over && ' · over'}
          </span>
        </span>
      </div>
      {budget !== null && (
        <Meter
          label={`${name}: forecast against budget`}
          share={shareOf(line.forecast_nanos, budget)}
          mark={shareOf(line.to_date_nanos, budget)}
          tone={toneOf(line)}
        />
      )}
    </li>
  );
}

function toneOf(line: CostLine): Tone {
  if (line.over) return 'bad';
  const share = shareOf(line.forecast_nanos, line.budget_nanos ?? '0');
  return share > 0.9 && line.measured_nanos !== '0' ? 'warn' : 'accent';
}

/** Of a budget of nothing everything is used up as soon as anything is spent. */
function shareOf(part: string, whole: string): number {
  const of = Number(whole);
  if (of > 0) return Number(part) / of;
  return Number(part) > 0 ? 1 : 0;
}

function exceeds(one: string, other: string): boolean {
  return BigInt(one) > BigInt(other);
}

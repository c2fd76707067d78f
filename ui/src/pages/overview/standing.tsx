/** What is wrong or nearly so: failures, budgets, services and targets. */
import { Card, Shown } from '../../components/card';
import { Badge, Count, Meter, Money, Percent, Time } from '../../components/figures';
import { Empty } from '../../components/states';
import { pace } from '../../lib/live';
import { useLoad, type Loaded } from '../../lib/load';
import { short } from '../../lib/format';
import { inAddress, type Range } from '../../lib/range';
import { href } from '../../lib/router';
import { ownerName } from '../../lib/series';
import type { Deployments, Services } from '../../lib/records';
import type { Budget, Overview } from '../../lib/types';
import { budgetTone, stateTone } from '../../lib/words';
import { See } from './see';

const MOST = 5;

export function Failing({ figures, range }: { figures: Loaded<Overview>; range: Range }) {
  const log = (status: string) => `/requests?status=${status}&${inAddress(range)}`;
  return (
    <Card
      title="What is failing"
      class="fill"
      actions={<See to={`/requests?${inAddress(range)}`} text="Log" of="of requests" />}
    >
      <Shown of={figures} lines={5}>
        {({ errors }) =>
          errors?.by.length ? (
            <ul class="rows">
              {errors.by.slice(0, MOST + 1).map(({ status, code, number }) => (
                <li key={`${status} ${code}`}>
                  <Badge tone={status >= 500 ? 'bad' : 'warn'}>{status}</Badge>
                  <a class="plain cut" href={href(log(status >= 500 ? '5xx' : '4xx'))}>
                    <code>{code || 'no code'}</code>
                  </a>
                  <Count value={number} />
                </li>
              ))}
            </ul>
          ) : (
            <Empty title="Nothing failed" icon="check">
              Of the requests in this range that came to a decision.
            </Empty>
          )
        }
      </Shown>
    </Card>
  );
}

export function NearBudgets() {
  const budgets = useLoad<{ budgets: Budget[] }>('/admin/reports/budgets', {}, pace(15));
  return (
    <Card
      title="Fullest budgets"
      class="fill"
      actions={<See to="/budgets" text="All" of="budgets" />}
    >
      <Shown of={budgets} lines={6}>
        {({ budgets: rows }) =>
          rows.length ? (
            <ul class="lines">
              {rows.slice(0, MOST).map((row) => (
                <Near key={`${row.per} ${row.name} ${row.period} ${row.unit}`} budget={row} />
              ))}
            </ul>
          ) : (
            <Empty title="No budget is in use" icon="budgets">
              Budgets appear here once somebody spends from one.
            </Empty>
          )
        }
      </Shown>
    </Card>
  );
}

function Near({ budget }: { budget: Budget }) {
  const { per, name, period, unit, cap, used_share, elapsed_share, empty_at } = budget;
  const whose = per === 'user' ? ownerName(name) : name;
  return (
    <li>
      <div class="line-head">
        <span class="cut" title={`${per} ${whose}`}>
          {whose}
        </span>
        <span>
          <Percent share={used_share} />
          <span class="muted">
            {' of '}
            {unit === 'tokens' ? `${short(Number(cap))} tokens` : <Money nanos={cap} />} a {period}
          </span>
        </span>
      </div>
      <Meter
        label={`Budget of ${per} ${whose}: used`}
        share={used_share}
        mark={elapsed_share}
        tone={budgetTone(budget)}
      />
      {empty_at && (
        <p class="note">
          at this pace used up <Time at={empty_at} />
        </p>
      )}
    </li>
  );
}

interface Place {
  name: string;
  detail: string;
  state: string;
}

export function Health() {
  const services = useLoad<Services>('/admin/services', {}, pace(10));
  const targets = useLoad<Deployments>('/admin/deployments', {}, pace(10));
  return (
    <Card
      title="Services and targets"
      class="fill"
      actions={<See to="/services" text="Details" of="of services and targets" />}
    >
      <Shown of={services} lines={3}>
        {({ services: rows }) => (
          <Places
            kind="Services"
            places={rows.flatMap((one) =>
              one.backends.map(({ url, state }) => ({ name: one.name, detail: url, state })),
            )}
          />
        )}
      </Shown>
      <Shown of={targets} lines={3}>
        {({ targets: rows }) => (
          <Places
            kind="Targets"
            places={rows.flatMap((one) =>
              one.deployments.map(({ name, state, cooling }) => ({
                name: one.target,
                detail: one.deployments.length > 1 ? name : '',
                state: cooling > 0 ? 'cooling' : state,
              })),
            )}
          />
        )}
      </Shown>
    </Card>
  );
}

/** What is not well stands first. */
function Places({ kind, places }: { kind: string; places: Place[] }) {
  const sorted = places.toSorted(
    (one, other) => Number(one.state === 'up') - Number(other.state === 'up'),
  );
  const rest = sorted.length - MOST;
  return (
    <>
      <h3>{kind}</h3>
      {!places.length && (
        <p class="note">{kind === 'Services' ? 'None is configured.' : 'None was asked yet.'}</p>
      )}
      <ul class="rows">
        {sorted.slice(0, MOST).map(({ name, detail, state }) => (
          <li key={`${name} ${detail}`}>
            <Badge tone={stateTone(state)}>{state}</Badge>
            <span class="cut" title={`${name} ${detail}`}>
              {name} <span class="muted">{detail}</span>
            </span>
          </li>
        ))}
      </ul>
      {rest > 0 && <p class="note">and {rest} more</p>}
    </>
  );
}

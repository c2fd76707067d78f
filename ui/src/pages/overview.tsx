/** What was saved, what is being spent, how it goes, what fails: live, each card by itself. */
import { useRef } from 'preact/hooks';
import { PageHead } from '../components/page';
import { RangePicker, useRange } from '../components/range';
import { overviewOf } from '../lib/first';
import { live, pace } from '../lib/live';
import { useLoad } from '../lib/load';
import type { Overview as Figures } from '../lib/types';
import { Glance } from './overview/glance';
import { Month } from './overview/month';
import { Failing, Health, NearBudgets } from './overview/standing';
import { Spend } from './overview/spend';
import { TopModels, TopUsers } from './overview/top';

export default function Overview() {
  const range = useRange();
  const asked = overviewOf(range);
  const figures = useLoad<Figures>(asked.totals, {}, pace(5));
  // The gateway has the figures first to itself; the other cards ask once these are there, or failed.
  const first = useRef(false);
  first.current ||= figures.data !== undefined || figures.error !== undefined;
  const after = first.current;
  return (
    <>
      <PageHead title="Overview" note="Days are UTC, as the ledger counts them.">
        <Live />
        <RangePicker />
      </PageHead>
      <div class="grid">
        <Glance figures={figures} />
        <div class="two-thirds">
          <Spend asked={after ? asked.series : null} range={range} by={asked.by} />
        </div>
        <div class="third">
          <Month after={after} />
        </div>
        <div class="half">
          <TopModels range={range} after={after} />
        </div>
        <div class="half">
          <TopUsers range={range} after={after} />
        </div>
        <div class="third">
          <Failing figures={figures} range={range} />
        </div>
        <div class="third">
          <NearBudgets after={after} />
        </div>
        <div class="third">
          <Health after={after} />
        </div>
      </div>
    </>
  );
}

function Live() {
  return (
    <button
      type="button"
      class="button live"
      aria-pressed={live.value}
      title={live.value ? 'Figures are asked for every few seconds' : 'Figures stand still'}
      onClick={() => (live.value = !live.value)}
    >
      <span class="dot" aria-hidden="true" />
      Live
    </button>
  );
}

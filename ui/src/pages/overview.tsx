/** What was saved, what is being spent, how it goes, what fails: live, each card by itself. */
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { PageHead } from '../components/page';
import { RangePicker, useRange } from '../components/range';
import { figuresOf } from '../lib/first';
import { live, pace } from '../lib/live';
import { useLoad, type Loaded } from '../lib/load';
import type { Range } from '../lib/range';
import type { Overview as Figures } from '../lib/types';
import { Glance } from './overview/glance';
import { Month } from './overview/month';
import { Failing, Health, NearBudgets } from './overview/standing';
import { Spend } from './overview/spend';
import { TopModels, TopUsers } from './overview/top';

/** Milliseconds for which the other cards leave the gateway to the figures at the top. */
const PATIENCE = 1000;

export default function Overview() {
  const range = useRange();
  const figures = useLoad<Figures>(figuresOf(range), {}, pace(5));
  const late = useLate(PATIENCE);
  const shown = usePainted(late || figures.data !== undefined || figures.error !== undefined);
  return (
    <>
      <PageHead title="Overview" note="Days are UTC, as the ledger counts them.">
        <Live />
        <RangePicker />
      </PageHead>
      <div class="grid">
        <Glance figures={figures} />
        {shown && <Rest figures={figures} range={range} />}
      </div>
    </>
  );
}

/** The other cards: they ask and are drawn once the figures at the top are on screen, failed, or are late. */
function Rest({ figures, range }: { figures: Loaded<Figures>; range: Range }) {
  return (
    <>
      <div class="two-thirds">
        <Spend range={range} />
      </div>
      <div class="third">
        <Month />
      </div>
      <div class="half">
        <TopModels range={range} />
      </div>
      <div class="half">
        <TopUsers range={range} />
      </div>
      <div class="third">
        <Failing figures={figures} range={range} />
      </div>
      <div class="third">
        <NearBudgets />
      </div>
      <div class="third">
        <Health />
      </div>
    </>
  );
}

/** Whether that many milliseconds are over since it came. */
function useLate(after: number): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(setLate, after, true);
    return () => clearTimeout(timer);
  }, [after]);
  return late;
}

/** Whether something is so and has been painted. */
function usePainted(so: boolean): boolean {
  const [painted, setPainted] = useState(false);
  useLayoutEffect(() => {
    if (!so) return undefined;
    let timer = 0;
    const frame = requestAnimationFrame(() => {
      timer = window.setTimeout(setPainted, 0, true);
    });
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }, [so]);
  return painted;
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

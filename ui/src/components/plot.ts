/** Draws with uPlot: periods stand side by side at even steps, whatever their length. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { ChartProps } from './chart';

export interface Plot {
  /** Draws other values of the same periods and series. */
  update: (props: ChartProps) => void;
  destroy: () => void;
}

const FONT = '12px system-ui, sans-serif';
/** Of a letter of the axes, about, and between two labels. In pixels. */
const LETTER = 7;
const BETWEEN = 20;

export function draw(box: HTMLElement, props: ChartProps, height: number): Plot {
  const tip = document.createElement('div');
  tip.className = 'plot-tip';
  tip.hidden = true;
  let now = props;
  let data = dataOf(now);
  const width = () => Math.max(80, box.clientWidth);
  const options: uPlot.Options = {
    ...optionsOf(props, palette(box), (at) => alone(data[at] ?? [])),
    width: width(),
    height,
    hooks: { setCursor: [(plot) => follow(plot, tip, now)] },
  };
  const plot = new uPlot(options, data as uPlot.AlignedData, box);
  plot.over.append(tip);

  const watch = new ResizeObserver(() => {
    if (width() !== plot.width) plot.setSize({ width: width(), height });
  });
  watch.observe(box);
  return {
    update: (next) => {
      now = next;
      data = dataOf(next);
      plot.setData(data as uPlot.AlignedData);
    },
    destroy: () => {
      watch.disconnect();
      plot.destroy();
    },
  };
}

type Options = Omit<uPlot.Options, 'width' | 'height'>;
type Colours = (name: string) => string;

function optionsOf(props: ChartProps, colour: Colours, points: (at: number) => number[]): Options {
  const { labels, series, format, kind = 'lines' } = props;
  const bars = kind === 'bars';
  const paths = bars ? uPlot.paths.bars?.({ size: [0.72, 56], radius: 0.12 }) : undefined;
  return {
    padding: [12, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: !bars } },
    scales: {
      x: { time: false, range: bars ? [-0.5, labels.length - 0.5] : reach(labels.length) },
      y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.08 : 1] },
    },
    axes: [xAxis(labels, colour), yAxis(format, colour)],
    series: [
      {},
      ...orderOf(props).map((at, place) => {
        const paint = colour(`--c${(at % 8) + 1}`);
        return {
          label: series[at]?.label ?? '',
          stroke: paint,
          width: bars ? 0 : 2,
          points: { show: !bars, size: 6, fill: paint, filter: () => points(place + 1) },
          ...(bars && { fill: paint }),
          ...(!bars && series.length === 1 && { fill: colour('--c1-soft') }),
          ...(paths && { paths }),
        };
      }),
    ],
  };
}

/** What lies on top is the lower part of the pile, so the highest is drawn first. */
function orderOf({ series, stacked = false }: ChartProps): number[] {
  const order = series.map((_, at) => at);
  return stacked ? order.toReversed() : order;
}

type Values = (number | null)[];

/** The places of the periods, then the values of each series in the order of drawing. */
function dataOf(props: ChartProps): Values[] {
  const values = props.series.map((one) => one.values);
  const shown = props.stacked ? piled(values) : values;
  return [props.labels.map((_, at) => at), ...orderOf(props).map((at) => shown[at] ?? [])];
}

function reach(length: number): [number, number] {
  return length > 1 ? [0, length - 1] : [-1, 1];
}

/** Points without a neighbour, through which no line goes. */
function alone(values: Values): number[] {
  const there = (at: number) => values[at] !== null && values[at] !== undefined;
  return values.map((_, at) => at).filter((at) => there(at) && !there(at - 1) && !there(at + 1));
}

function piled(values: Values[]): number[][] {
  const sums: number[] = [];
  return values.map((one) =>
    one.map((value, at) => {
      sums[at] = (sums[at] ?? 0) + (value ?? 0);
      return sums[at];
    }),
  );
}

function xAxis(labels: string[], colour: Colours): uPlot.Axis {
  return {
    stroke: colour('--muted'),
    font: FONT,
    grid: { show: false },
    ticks: { show: false },
    size: 28,
    splits: (plot) => {
      const longest = labels.reduce((most, one) => Math.max(most, one.length), 0);
      const room = Math.max(1, Math.floor(plot.width / (longest * LETTER + BETWEEN)));
      const step = Math.max(1, Math.ceil(labels.length / room));
      return labels.map((_, at) => at).filter((at) => at % step === 0);
    },
    values: (_plot, places) => places.map((at) => labels[at] ?? ''),
  };
}

function yAxis(format: (value: number) => string, colour: Colours): uPlot.Axis {
  return {
    stroke: colour('--muted'),
    font: FONT,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    size: (_plot, values) => roomOf(values),
    space: 44,
    values: (_plot, places) => places.map(format),
  };
}

/** As wide as its longest label: fractions of a cent have many digits. */
function roomOf(values: string[] | null): number {
  const longest = (values ?? []).reduce((most, one) => Math.max(most, one.length), 0);
  return Math.max(64, longest * LETTER + BETWEEN);
}

/** Variables as the page resolves them now: a canvas takes colours, not `light-dark()`. */
function palette(box: HTMLElement): Colours {
  const probe = document.createElement('span');
  probe.hidden = true;
  box.append(probe);
  const found = new Map<string, string>();
  const names = [
    '--muted',
    '--line',
    '--c1-soft',
    ...Array.from({ length: 8 }, (_, at) => `--c${at + 1}`),
  ];
  for (const name of names) {
    probe.style.color = `var(${name})`;
    found.set(name, getComputedStyle(probe).color);
  }
  probe.remove();
  return (name) => found.get(name) ?? 'gray';
}

/** Under the pointer: the period, and its figures from the largest down. */
function follow(plot: uPlot, tip: HTMLElement, { labels, series, format }: ChartProps): void {
  const at = plot.cursor.idx;
  if (at === null || at === undefined || (plot.cursor.left ?? -1) < 0) {
    tip.hidden = true;
    return;
  }
  const rows = series
    .map((one, index) => ({ label: one.label, value: one.values[at] ?? null, index }))
    .filter((one) => series.length === 1 || (one.value ?? 0) > 0)
    .toSorted((one, other) => (other.value ?? 0) - (one.value ?? 0))
    .slice(0, 8);
  if (!rows.length) rows.push({ label: 'Nothing', value: 0, index: -1 });
  tip.replaceChildren(
    line('plot-tip-head', labels[at] ?? ''),
    ...rows.map((one) => {
      const row = line('plot-tip-row', '');
      const swatch = document.createElement('span');
      swatch.className = `swatch c${(one.index % 8) + 1}`;
      row.append(
        swatch,
        line('', one.label),
        line('number', one.value === null ? '–' : format(one.value)),
      );
      return row;
    }),
  );
  tip.hidden = false;
  const left = plot.valToPos(at, 'x');
  const width = plot.over.clientWidth;
  const shift = left > width / 2 ? 'calc(-100% - 12px)' : '12px';
  tip.style.transform = `translate(${left}px, 0) translateX(${shift})`;
}

function line(look: string, text: string): HTMLElement {
  const made = document.createElement('div');
  made.className = look;
  made.textContent = text;
  return made;
}

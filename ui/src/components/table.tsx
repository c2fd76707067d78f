/** A table that sorts by its heads, keeps them in sight, and scrolls by keyboard where it is too wide. */
import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { Empty } from './states';
import { Icon } from './icon';

type Sortable = string | number | bigint | null | undefined;

export interface Column<Row> {
  key: string;
  label: string;
  render: (row: Row) => ComponentChildren;
  /** What it sorts by; without it the column does not sort. */
  value?: (row: Row) => Sortable;
  /** Figures stand at the right. */
  right?: boolean;
  /** The cell that names its row. */
  head?: boolean;
  /** Long texts are cut, with an ellipsis; give the whole by a title or a page of its own. */
  wide?: boolean;
}

interface TableProps<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row, at: number) => string | number;
  /** Sorted by this column at first; a leading minus is largest first. Without it rows stay as they came. */
  sort?: string;
  empty?: ComponentChildren;
  /** Show the caption above the table instead of to screen readers alone. */
  titled?: boolean;
  tall?: boolean;
}

export function Table<Row>(props: TableProps<Row>) {
  const { caption, columns, rows, rowKey, empty, titled = false, tall = false } = props;
  const [sort, setSort] = useState(props.sort ?? '');
  const sorted = useMemo(() => order(rows, columns, sort), [rows, columns, sort]);
  if (!rows.length) return <>{empty ?? <Empty title="Nothing here yet" />}</>;
  return (
    <div class={tall ? 'table tall' : 'table'} role="group" aria-label={caption} tabIndex={0}>
      <table>
        <caption class={titled ? '' : 'hidden'}>{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.key} column={column} sort={sort} setSort={setSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((row, at) => (
            <tr key={rowKey(row, at)}>{columns.map((column) => cell(column, row))}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function cell<Row>(column: Column<Row>, row: Row) {
  const look = [column.right && 'right', column.wide && 'wide'].filter(Boolean).join(' ');
  const content = column.render(row);
  return column.head ? (
    <th key={column.key} scope="row" class={look}>
      {content}
    </th>
  ) : (
    <td key={column.key} class={look}>
      {content}
    </td>
  );
}

function Label({ text }: { text: string }) {
  return (
    <span class="cut" title={text.length > 24 ? text : undefined}>
      {text}
    </span>
  );
}

interface HeadProps<Row> {
  column: Column<Row>;
  sort: string;
  setSort: (sort: string) => void;
}

function Head<Row>({ column, sort, setSort }: HeadProps<Row>) {
  const look = column.right ? 'right' : '';
  if (!column.value) {
    return (
      <th scope="col" class={look}>
        <Label text={column.label} />
      </th>
    );
  }
  const rising = sort === column.key;
  const falling = sort === `-${column.key}`;
  const next = falling || (!rising && !column.right) ? column.key : `-${column.key}`;
  const state = rising ? 'ascending' : falling ? 'descending' : 'none';
  return (
    <th scope="col" class={look} aria-sort={state}>
      <button type="button" class="sorter" onClick={() => setSort(next)}>
        <Label text={column.label} />
        <span class="sort-mark">
          {state !== 'none' && <Icon name={rising ? 'up' : 'down'} size={12} />}
        </span>
      </button>
    </th>
  );
}

function order<Row>(rows: Row[], columns: Column<Row>[], sort: string): Row[] {
  const column = columns.find((one) => one.key === sort.replace(/^-/, ''));
  const value = column?.value;
  if (!value) return rows;
  const sign = sort.startsWith('-') ? -1 : 1;
  return rows.toSorted((one, other) => compare(value(one), value(other), sign));
}

/** What is not there stands last, whichever way it is sorted. */
function compare(one: Sortable, other: Sortable, sign: number): number {
  if (one == null || other == null) return Number(one == null) - Number(other == null);
  if (typeof one === 'string' || typeof other === 'string') {
    return sign * String(one).localeCompare(String(other), undefined, { numeric: true });
  }
  return sign * (Number(one > other) - Number(one < other));
}

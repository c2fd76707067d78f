/** Documents of all tenants: which are found, which are on their way, and why others are not. */
import { Badge, Count, Time } from '../components/figures';
import { Card, Shown } from '../components/card';
import { Filters, useFilters, type Filter } from '../components/filters';
import { More } from '../components/more';
import { PageHead } from '../components/page';
import { Refresh } from '../components/refresh';
import { Empty } from '../components/states';
import { Table, type Column } from '../components/table';
import { Two } from '../components/two';
import { bytes } from '../lib/format';
import { useList, type Paged } from '../lib/list';
import type { DocumentRow } from '../lib/records';
import { choose } from '../lib/router';
import { stateTone, words } from '../lib/words';

const STATES = ['queued', 'parsing', 'embedding', 'ready', 'failed'];
const FILTERS: Filter[] = [
  { name: 'status', label: 'State', options: STATES.map((value) => ({ value, text: value })) },
  { name: 'tenant', label: 'Tenant' },
];

interface Page extends Paged {
  documents: DocumentRow[];
  byStatus: Record<string, number>;
}

export default function Documents() {
  const chosen = useFilters(['status', 'tenant']);
  const list = useList<Page>('/admin/documents', chosen);
  const rows = list.pages.flatMap((page) => page.documents);
  return (
    <>
      <PageHead
        title="Documents"
        note="What callers uploaded to be searched. Nobody sees another tenant’s texts here, only how they fare."
      >
        <Refresh of={list.first} />
      </PageHead>
      <div class="stack">
        <Filters filters={FILTERS} />
        <Card title="Documents" class="dense">
          <Shown of={list.first} lines={6}>
            {({ byStatus }) => (
              <>
                <ByStatus counts={byStatus} />
                <Table
                  caption="List of documents"
                  columns={COLUMNS}
                  rows={rows}
                  rowKey={(row) => row.id}
                  empty={
                    Object.keys(chosen).length ? (
                      <Empty title="No document is like that">Take a filter away.</Empty>
                    ) : (
                      <Empty title="No documents yet" icon="documents">
                        They come by <code>POST /api/rag/upload</code>.
                      </Empty>
                    )
                  }
                />
                <More of={list} shown={rows.length} what="document" />
              </>
            )}
          </Shown>
        </Card>
      </div>
    </>
  );
}

function ByStatus({ counts }: { counts: Record<string, number> }) {
  const some = STATES.filter((state) => counts[state]);
  if (!some.length) return null;
  return (
    <ul class="chips spaced" aria-label="How many are in which state">
      {some.map((state) => (
        <li key={state}>
          <button
            type="button"
            class="button quiet small"
            onClick={() => choose({ status: state })}
          >
            <Badge tone={stateTone(state)}>{state}</Badge> <Count value={counts[state]} />
          </button>
        </li>
      ))}
    </ul>
  );
}

const COLUMNS: Column<DocumentRow>[] = [
  {
    key: 'filename',
    label: 'File',
    head: true,
    wide: true,
    value: (row) => row.filename,
    render: (row) => <span title={row.filename}>{row.filename}</span>,
  },
  {
    key: 'owner',
    label: 'Owner',
    wide: true,
    value: (row) => `${row.tenant}/${row.owner}`,
    render: (row) => (
      <Two main={row.owner} sub={row.tenant} title={`${row.owner} of ${row.tenant}`} />
    ),
  },
  {
    key: 'status',
    label: 'State',
    value: (row) => row.status,
    render: (row) => (
      <span class="two whole">
        <span>
          <Badge tone={stateTone(row.status)}>{row.status}</Badge>
        </span>
        {row.error && <small class="muted">{words(row.error)}</small>}
      </span>
    ),
  },
  {
    key: 'size',
    label: 'Size',
    right: true,
    value: (row) => row.size,
    render: (row) => <span title={`${row.size} bytes`}>{bytes(row.size)}</span>,
  },
  {
    key: 'chunks',
    label: 'Passages',
    right: true,
    value: (row) => row.chunks,
    render: (row) => <Count value={row.chunks} />,
  },
  {
    key: 'created',
    label: 'Uploaded',
    value: (row) => row.created,
    render: (row) => <Time at={row.created} />,
  },
  {
    key: 'updated',
    label: 'Changed',
    value: (row) => row.updated,
    render: (row) => <Time at={row.updated} relative />,
  },
];

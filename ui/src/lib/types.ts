/** What the gateway answers, as far as pages read it. Amounts of money are texts of nano-dollars: exact. */

export type Nanos = string;

export interface Sums {
  requests: number;
  cached: number;
  free: number;
  estimated: number;
  input: number;
  output: number;
  tokens: number;
  cost: number;
  costNanos: Nanos;
  cachedShare: number | null;
  freeShare: number | null;
}

export interface Latency {
  count: number;
  p50_ms: number | null;
  p90_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export interface Failed {
  status: number;
  code: string;
  number: number;
}

export interface CacheKind {
  kind: string;
  hits: number;
  misses: number;
  share: number | null;
}

export interface Savings {
  baseline: string;
  wouldCostNanos: Nanos;
  costNanos: Nanos;
  savedNanos: Nanos;
  saved: number;
  share: number | null;
}

export interface Overview {
  from: string;
  to: string;
  totals: Sums;
  latency: Latency | null;
  errors?: { number: number; share: number | null; by: Failed[] };
  cache?: CacheKind[];
  savings?: Savings | null;
}

export type GroupKey = 'service' | 'provider' | 'model' | 'route' | 'tenant' | 'user';
export type Groups = Partial<Record<GroupKey, string>>;

export interface SeriesRow extends Sums, Groups {
  period: string;
  latency: Latency | null;
  /** Null where they are not counted so: of tenants and users. */
  errors: number | null;
}

export interface Series {
  from: string;
  to: string;
  by: string;
  of: string;
  rows: SeriesRow[];
}

export interface TopRow extends Sums, Groups {}

export interface Top {
  from: string;
  to: string;
  of: string;
  order: string;
  rows: TopRow[];
}

export interface Budget {
  per: string;
  name: string;
  period: string;
  unit: string;
  starts: string;
  resets: string;
  cap: Nanos;
  reserved: Nanos;
  spent: Nanos;
  left: Nanos;
  forecast: Nanos;
  used_share: number | null;
  elapsed_share: number | null;
  empty_at: string | null;
}

export interface CostLine {
  line: string;
  parts: string[];
  fixed_nanos: Nanos;
  measured_nanos: Nanos;
  to_date_nanos: Nanos;
  forecast_nanos: Nanos;
  before_nanos: Nanos;
  budget_nanos: Nanos | null;
  over: boolean;
}

export interface Costs {
  month: string;
  lines: CostLine[];
  totals: { to_date_nanos: Nanos; forecast_nanos: Nanos; before_nanos: Nanos; budget_nanos: Nanos };
  preset: boolean;
}

export interface Caller {
  tenant: string;
  sub: string;
  scopes: string[];
  tier: string;
}

export interface Session {
  csrf: string;
  caller: Caller;
  expires: string;
}

/** What the admin's lists answer, as far as pages read it. */
import type { Nanos } from './types';

export interface Logged {
  id: string;
  time: string;
  tenant: string | null;
  user: string | null;
  service: string | null;
  route: string | null;
  model: string | null;
  provider: string | null;
  target: string | null;
  /** Null while it runs, or where its record was lost. */
  status: number | null;
  code: string | null;
  cache: string | null;
  input: number | null;
  output: number | null;
  costNanos: Nanos;
  latencyMs: number | null;
  /** Of a stream that was bought. */
  firstMs: number | null;
  stream: boolean | null;
}

/** A row of the ledger. */
export interface Step {
  attempt: number;
  stage: string;
  ended?: string;
  at: string;
  target?: string;
  input?: number;
  cached_input?: number;
  cache_write?: number;
  output?: number;
  reasoning?: number;
  most_input?: number;
  most_output?: number;
  costNanos?: Nanos;
}

export interface Warm {
  target: string;
  deployment: string | null;
  tokens: number;
  insteadOf: string | null;
  savesNanos: Nanos | null;
}

export interface Why {
  asked: string;
  tier: string;
  policy: string;
  arm: string;
  reason: string;
  features: Record<string, unknown>;
  /** In the order in which they would have been asked. */
  offers: string[];
  tries: number;
  deployment: string | null;
  /** What went first since this conversation's prompt is warm there. */
  warm?: Warm | null;
  price: string | null;
  reservedNanos: Nanos;
  upstreamMs: number;
}

export interface Explained extends Logged {
  decision: Why | null;
  ledger: Step[];
}

export interface ApiKey {
  id: string;
  name: string;
  tenant: string;
  sub: string;
  scopes: string[];
  tier: string;
  created: string | null;
  expires: string | null;
  revoked: string | null;
}

/** Of a key that was just made, and never again. */
export interface MadeKey extends ApiKey {
  key: string;
}

export interface DocumentRow {
  id: string;
  tenant: string;
  owner: string;
  filename: string;
  status: string;
  size: number;
  chunks: number;
  error: string | null;
  created: string;
  updated: string;
}

export interface Backend {
  url: string;
  weight: number;
  state: string;
  /** Seconds in this state. */
  for: number;
  probe: string;
  failures_in_a_row: number;
  ejections: number;
  in_air: number;
  requests: Record<string, number>;
}

export interface Service {
  name: string;
  prefixes: string[];
  balance: string;
  backends: Backend[];
}

export interface Services {
  services: Service[];
}

export interface Deployment {
  name: string;
  weight: number;
  state: string;
  /** Seconds for which it is still left alone. */
  cooling: number;
  full: number;
  requests_per_minute: number;
  tokens_per_minute: number;
  used: number;
  in_air: number;
  picks: number;
  failures_in_a_row: number;
}

export interface Target {
  target: string;
  deployments: Deployment[];
}

export interface Deployments {
  targets: Target[];
}

export interface Tier {
  name: string;
  rate: number;
  window: number;
  endpoints: Record<string, { rate: number; window: number }>;
  tokensPerMinute: number | null;
  parallel: number | null;
  embeddingBatch: number;
  documents: number;
  documentBytes: number;
}

export interface ConfiguredBudget {
  per: string;
  name: string | null;
  tier: string | null;
  period: string;
  money: string | null;
  tokens: number | null;
}

export interface Limits {
  tiers: Tier[];
  budgets: ConfiguredBudget[];
}

/** Dollars per million tokens. */
export interface Price {
  input: number;
  output: number;
  cachedInput: number;
}

export interface Offer {
  target: string;
  price: Price | null;
}

/** A learned router: how well it told on its own labels who gains, and what its maker says of how far that goes. */
export interface Artefact {
  name: string;
  source: string;
  trained: string;
  rows: number;
  figures: { apgr: number; apgrLow: number; apgrHigh: number };
  trust: string;
}

export interface Shadow {
  share: number;
  moneyPerDay: string;
  judge: string;
  weak: string;
  strong: string;
}

export interface Route {
  route: string;
  verb: string;
  policy: string;
  offers: Offer[];
  model: Artefact | null;
  quality: number | null;
  strongShare: number | null;
  shadow: Shadow | null;
}

export interface Interval {
  value: number;
  low: number;
  high: number;
}

/** Whether the labels since the router was made show a gain; the figures are there where it is not null. */
export interface Certificate {
  route: string;
  target: number;
  rows: number;
  since: string;
  certified: boolean | null;
  reason: string;
  quality?: Interval;
  least?: number;
  strongShare?: number;
  saving?: Interval;
  savingOf?: string;
  overChance?: Interval;
}

export interface Routing {
  routes: Route[];
  artefact: Artefact | null;
  labels: { rows: number; newest: string | null; byRoute: Record<string, number> };
  certificate: Certificate | null;
}

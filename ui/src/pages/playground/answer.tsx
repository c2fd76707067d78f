/** A question, its answer so far, and what the gateway told about it. */
import { Copy } from '../../components/copy';
import { Badge, Duration, Money, type Tone } from '../../components/figures';
import { ErrorNote } from '../../components/states';
import { count } from '../../lib/format';
import { href } from '../../lib/router';
import type { Turn } from './talk';

export function Answer({ turn }: { turn: Turn }) {
  const { question, answer, state, error } = turn;
  const running = state === 'waiting' || state === 'streaming';
  return (
    <article class="turn">
      <p class="question">
        <span class="hidden">You: </span>
        {question}
      </p>
      {(answer || running) && (
        <p class={running ? 'answer running' : 'answer'}>
          <span class="hidden">Answer: </span>
          {answer}
        </p>
      )}
      {error && <ErrorNote error={error} />}
      {state === 'stopped' && <p class="note">Stopped. What came until then is billed.</p>}
      <Facts turn={turn} />
    </article>
  );
}

const CACHE: Record<string, { tone: Tone; text: string }> = {
  hit: { tone: 'good', text: 'cache hit' },
  miss: { tone: 'plain', text: 'cache miss' },
  bypass: { tone: 'plain', text: 'cache not asked' },
};

function Facts({ turn }: { turn: Turn }) {
  const { told, tokens, first, took, reason } = turn;
  if (!told) return null;
  const cache = told.cache ? (CACHE[told.cache] ?? { tone: 'plain', text: told.cache }) : null;
  return (
    <dl class="told">
      <div>
        <dt>Target</dt>
        <dd>
          <code>{told.target ?? '–'}</code> {cache && <Badge tone={cache.tone}>{cache.text}</Badge>}
        </dd>
      </div>
      <div>
        <dt>Cost</dt>
        <dd>
          <Cost turn={turn} />
        </dd>
      </div>
      {tokens && (
        <div>
          <dt>Tokens</dt>
          <dd>
            {count(tokens.prompt_tokens)} in, {count(tokens.completion_tokens)} out
          </dd>
        </div>
      )}
      <div>
        <dt>Time</dt>
        <dd>
          <Duration ms={took} />
          {first !== null && (
            <>
              , first piece <Duration ms={first} />
            </>
          )}
        </dd>
      </div>
      {reason && reason !== 'stop' && (
        <div>
          <dt>Ended by</dt>
          <dd>{reason}</dd>
        </div>
      )}
      {told.id && (
        <div>
          <dt>Request</dt>
          <dd class="id">
            <a href={href(`/requests/${encodeURIComponent(told.id)}`)} title="Why it went there">
              {told.id}
            </a>
            <Copy text={told.id} label="Copy the request’s id" />
          </dd>
        </div>
      )}
    </dl>
  );
}

function Cost({ turn }: { turn: Turn }) {
  if (turn.cost !== undefined) return <Money nanos={turn.cost} />;
  return <span class="muted">when it is settled</span>;
}

// What requests cost: the process's CPU while the Worker answers them, and while plain JavaScript repeats the very calls that
// it made at its bindings and upstream. The difference is the Worker's own.

const recorded = [];
let recording = false;
let waited = 0;

const note = (again, call) => {
  if (!recording) return call();
  recorded.push(again);
  const began = performance.now();
  const done = () => (waited += performance.now() - began);
  const answer = call();
  answer.then(done, done);
  return answer;
};

// Rows are unique by their request: a repeat writes others.
let repeat = 0;
const other = (value) => (typeof value === "string" ? value.replace(/^req_/, `r${repeat}_`) : value);

class Statement {
  constructor(database, sql, args = []) {
    Object.assign(this, { database, sql, args });
  }
  bind(...args) {
    return new Statement(this.database, this.sql, args);
  }
  #inner(args = this.args) {
    const prepared = this.database.prepare(this.sql);
    return args.length ? prepared.bind(...args) : prepared;
  }
  other() {
    return this.#inner(this.args.map(other));
  }
  given() {
    return this.#inner();
  }
  raw() {
    return note(() => this.other().raw(), () => this.given().raw());
  }
}

const database = (inner) => ({
  prepare: (sql) => new Statement(inner, sql),
  batch: (statements) => {
    const all = [...statements];
    const again = () => inner.batch(all.map((one) => one.other()));
    return note(again, () => inner.batch(all.map((one) => one.given())));
  },
});

const stored = (inner) =>
  Object.fromEntries(
    ["get", "put", "delete"].map((method) => [
      method,
      (...args) => note(() => inner[method](...args), () => inner[method](...args)),
    ]),
  );

const objects = (inner) => ({
  getByName: (name) => ({
    run: (text) => {
      const call = () => inner.getByName(name).run(text);
      return note(call, call);
    },
  }),
});

export const measured = ({ KV, DB, BLOBS, METER }) => ({
  KV: stored(KV),
  DB: database(DB),
  BLOBS: stored(BLOBS),
  METER: objects(METER),
});

export const fetching = (inner) => (request, init) => {
  const copy = request.clone();
  const again = async () => {
    const { url, method, headers } = copy;
    const answer = await inner(url, { method, headers, body: await copy.arrayBuffer() });
    return answer.arrayBuffer();
  };
  return note(again, () => inner(request, init));
};

const micros = ({ user, system }) => user + system;
const cpu = () => micros(process.cpuUsage());

// Asks `requests` one after another; `ask` answers each whole, `idle` waits for what it leaves behind.
export async function measure(requests, ask, idle) {
  recorded.length = 0;
  const own = [];
  const statuses = new Set();
  recording = true;
  const began = cpu();
  for (const request of requests) {
    waited = 0;
    const at = performance.now();
    statuses.add(await ask(request));
    own.push(performance.now() - at - waited);
    await idle();
  }
  const ours = cpu() - began;
  recording = false;
  repeat++;
  const from = cpu();
  for (const again of recorded) await again();
  const theirs = cpu() - from;
  const each = requests.length * 1000;
  return { ours: ours / each, replayed: theirs / each, own, calls: recorded.length / requests.length, statuses: [...statuses] };
}

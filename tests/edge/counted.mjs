// Counts what a Worker is billed for at its bindings, which do what they did before; D1 says itself how many rows it read and wrote.

export const counts = {};

const add = (name, number = 1) => {
  counts[name] = (counts[name] ?? 0) + number;
};

const rows = ({ meta }) => {
  add("d1_rows_read", meta.rows_read);
  add("d1_rows_written", meta.rows_written);
  counts.d1_bytes = meta.size_after;
};

// Each call of these adds one to a count; of KV's list and delete, and R2's, as the plans tell them apart.
const calling = (binding, names) => ({
  ...Object.fromEntries(
    Object.entries(names).map(([method, name]) => [
      method,
      (...args) => {
        add(name);
        return binding[method](...args);
      },
    ]),
  ),
});

class Statement {
  constructor(inner) {
    this.inner = inner;
  }
  bind(...args) {
    return new Statement(this.inner.bind(...args));
  }
  // The rows of `raw` come without what they took, those of `all` with it, as objects.
  async raw() {
    add("d1_questions");
    const answer = await this.inner.all();
    rows(answer);
    return answer.results.map(Object.values);
  }
}

const database = (inner) => ({
  prepare: (sql) => new Statement(inner.prepare(sql)),
  async batch(statements) {
    add("d1_questions");
    const answers = await inner.batch([...statements].map((statement) => statement.inner));
    answers.forEach(rows);
    return answers;
  },
});

const objects = (inner) => ({
  getByName: (name) => ({
    async run(text) {
      add("object_requests");
      const answer = await inner.getByName(name).run(text);
      const { read, written } = JSON.parse(answer);
      add("object_rows_read", read);
      add("object_rows_written", written);
      return answer;
    },
  }),
});

export const counted = ({ KV, DB, BLOBS, METER }) => ({
  KV: calling(KV, { get: "kv_reads", put: "kv_writes", delete: "kv_deletes", list: "kv_lists" }),
  DB: database(DB),
  BLOBS: calling(BLOBS, { get: "r2_reads", put: "r2_writes", delete: "r2_deletes", list: "r2_writes" }),
  METER: objects(METER),
});

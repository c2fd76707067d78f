// The meter's Durable Object: runs the statements it is sent on its own storage, all or nothing. It decides nothing:
// what is asked, counted and refused stands in sql.py and meter.py.

export class PenstockMeter {
  constructor(state) {
    this.storage = state.storage;
  }

  async fetch(request) {
    const statements = await request.json();
    const sql = this.storage.sql;
    const run = () => statements.map(([text, args]) => [...sql.exec(text, ...args).raw()]);
    try {
      return Response.json({ results: this.storage.transactionSync(run) });
    } catch (error) {
      return Response.json({ error: String(error.message) }, { status: 500 });
    }
  }
}

export default {
  fetch: () => new Response(null, { status: 404 }),
};

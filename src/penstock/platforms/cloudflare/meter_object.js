// The meter's Durable Object: runs the statements it is sent on its own storage, all or nothing, and tells them its time where
// they ask for it by a null. It decides nothing: what is asked, counted and refused stands in sql.py and meter.py.

import { DurableObject } from "cloudflare:workers";

export class PenstockMeter extends DurableObject {
  // JSON in, JSON out: one call, one answer.
  run(text) {
    const { storage } = this.ctx;
    const now = Date.now() * 1000;
    const one = ([sql, args]) => [...storage.sql.exec(sql, ...args.map((arg) => arg ?? now)).raw()];
    try {
      return JSON.stringify({ results: storage.transactionSync(() => JSON.parse(text).map(one)) });
    } catch (error) {
      return JSON.stringify({ error: String(error.message) });
    }
  }
}

export default {
  fetch: () => new Response(null, { status: 404 }),
};

// The meter's Durable Object: runs the statements it is sent on its own storage, all or nothing, and tells them its time where
// they ask for it by a null. It decides nothing: what is asked, counted and refused stands in sql.py and meter.py, and so does
// the statement that it is left for its alarm, which says when to ask again, or by a null that nothing of it counts any more.

import { DurableObject } from "cloudflare:workers";

export class PenstockMeter extends DurableObject {
  // JSON in, JSON out: one call, one answer. A list of steps; or, of a new object, its steps and the milliseconds to its alarm.
  run(text) {
    const { storage } = this.ctx;
    const asked = JSON.parse(text);
    const { steps = asked, alarm } = asked;
    const now = Date.now() * 1000;
    const one = ([sql, args]) => [...storage.sql.exec(sql, ...args.map((arg) => arg ?? now)).raw()];
    try {
      const results = storage.transactionSync(() => steps.map(one));
      if (alarm) storage.setAlarm(Date.now() + alarm);
      return JSON.stringify({ results });
    } catch (error) {
      return JSON.stringify({ error: String(error.message) });
    }
  }

  async alarm() {
    const { storage } = this.ctx;
    const [[statement]] = storage.sql.exec("select statement from at_alarm").raw();
    const [[until]] = storage.sql.exec(statement, Date.now() * 1000).raw();
    if (until === null) await storage.deleteAll();
    else await storage.setAlarm(until / 1000);
  }
}

export default {
  fetch: () => new Response(null, { status: 404 }),
};

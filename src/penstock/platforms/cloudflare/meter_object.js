// The meter's Durable Object, and the one that has backends probed: runs the statements it is sent on its own storage, all or
// nothing, and tells them its time where they ask for it by a null. It decides nothing: what is asked, counted and refused
// stands in sql.py and meter.py, and so does the statement that it is left for its alarm, which says when to ask again, or by a
// null that nothing of it counts any more; and what to ask the gateway then, if anything: the answer is steps to run.

import { DurableObject } from "cloudflare:workers";

export class PenstockMeter extends DurableObject {
  // JSON in, JSON out: one call, one answer. A list of steps; or steps, and the milliseconds to its alarm, unless that is sooner.
  async run(text) {
    const { storage } = this.ctx;
    const asked = JSON.parse(text);
    const { steps = asked, alarm } = asked;
    const now = Date.now() * 1000;
    const one = ([sql, args]) => [...storage.sql.exec(sql, ...args.map((arg) => arg ?? now)).raw()];
    try {
      const results = storage.transactionSync(() => steps.map(one));
      if (alarm) await this.#wake(Date.now() + alarm);
      return JSON.stringify({ results });
    } catch (error) {
      return JSON.stringify({ error: String(error.message) });
    }
  }

  async alarm() {
    const { storage } = this.ctx;
    const [[statement]] = storage.sql.exec("select statement from at_alarm").raw();
    const [[until, ask]] = storage.sql.exec(statement, Date.now() * 1000).raw();
    if (until === null) return storage.deleteAll();
    await storage.setAlarm(until / 1000);
    if (ask) await this.#ask(ask);
  }

  // An alarm that fails is given up after some tries: so the next one is set first, and this one never fails.
  async #ask(text) {
    try {
      await this.run(await this.env.GATEWAY.probe(text));
    } catch {
      console.error("The gateway could not be asked to probe.");
    }
  }

  async #wake(at) {
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > at) await this.ctx.storage.setAlarm(at);
  }
}

export default {
  fetch: () => new Response(null, { status: 404 }),
};

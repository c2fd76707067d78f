// The meter's object as it ships, which tells in its answer how many rows SQLite read and wrote for it.

import { PenstockMeter as Shipped } from "./shipped.js";

export class PenstockMeter extends Shipped {
  constructor(ctx, env) {
    super(ctx, env);
    const { storage } = ctx;
    this.cursors = [];
    const exec = (text, ...args) => {
      const cursor = storage.sql.exec(text, ...args);
      this.cursors.push(cursor);
      return cursor;
    };
    this.ctx = {
      storage: {
        sql: { exec },
        transactionSync: (run) => storage.transactionSync(run),
        getAlarm: () => storage.getAlarm(),
        setAlarm: (at) => storage.setAlarm(at),
        deleteAll: () => storage.deleteAll(),
      },
    };
  }

  async run(text) {
    this.cursors.length = 0;
    const answer = JSON.parse(await super.run(text));
    const sum = (of) => this.cursors.reduce((total, cursor) => total + of(cursor), 0);
    const read = sum((cursor) => cursor.rowsRead);
    const written = sum((cursor) => cursor.rowsWritten);
    return JSON.stringify({ ...answer, read, written });
  }
}

// The meter's object as it ships, which tells beside its answer how many rows SQLite read and wrote for it.

import { PenstockMeter as Shipped } from "./shipped.js";

export class PenstockMeter extends Shipped {
  constructor(state) {
    const { storage } = state;
    const cursors = [];
    const exec = (text, ...args) => {
      const cursor = storage.sql.exec(text, ...args);
      cursors.push(cursor);
      return cursor;
    };
    super({ storage: { sql: { exec }, transactionSync: (run) => storage.transactionSync(run) } });
    this.cursors = cursors;
  }

  async fetch(request) {
    this.cursors.length = 0;
    const answer = await super.fetch(request);
    const sum = (of) => this.cursors.reduce((total, cursor) => total + of(cursor), 0);
    answer.headers.set("object_rows_read", sum((cursor) => cursor.rowsRead));
    answer.headers.set("object_rows_written", sum((cursor) => cursor.rowsWritten));
    return answer;
  }
}

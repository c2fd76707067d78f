// A D1 database as a Worker's binding has it, each call one message to the relay: what runs and answers is workerd's D1.

import { relayed } from "./relayed.mjs";

class Statement {
  constructor(ask, sql, args = []) {
    Object.assign(this, { ask, sql, args });
  }
  bind(...args) {
    return new Statement(this.ask, this.sql, args.map(plain));
  }
  raw() {
    return this.ask("raw", [this]);
  }
}

// D1 refuses as much; JSON would drop or change it.
function plain(given) {
  if (given instanceof Uint8Array) return { bytes: Buffer.from(given).toString("base64") };
  if (given === null || typeof given === "string" || Number.isFinite(given)) return given;
  throw new Error(`D1_TYPE_ERROR: Type '${typeof given}' not supported for value '${given}'`);
}

export function database(miniflare, name) {
  const ask = async (how, statements) => {
    const body = JSON.stringify({ how, statements: statements.map(({ sql, args }) => ({ sql, args })) });
    const { answer, error } = JSON.parse(await relayed(miniflare, `/?tables=${name}`, body));
    if (error !== undefined) throw new Error(error);
    return answer;
  };
  return {
    prepare: (sql) => new Statement(ask, sql),
    batch: (statements) => ask("batch", [...statements]),
  };
}

// Bindings for one world of a test after another: each has a database, keys and objects that no other sees.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Miniflare } from "miniflare";

import { cache } from "./caches.mjs";
import { database } from "./d1.mjs";
import { object } from "./relayed.mjs";
import { kv, r2 } from "./stored.mjs";
import { VectorizeIndexImpl } from "./vectorize.mjs";

// As many as are in use at once: a test that makes more worlds than these meets its first one's database again, emptied.
const DATABASES = ["DB0", "DB1", "DB2", "DB3"];

export class Worlds {
  constructor(root, tables, migrations) {
    const module = (path, file) => ({ type: "ESModule", path, contents: readFileSync(join(root, file), "utf8") });
    this.miniflare = new Miniflare({
      modules: [
        module("relay.mjs", "tests/edge/relay.mjs"),
        module("meter_object.js", "src/penstock/platforms/cloudflare/meter_object.js"),
      ],
      compatibilityDate: "2026-04-01",
      kvNamespaces: ["KV"],
      d1Databases: DATABASES,
      r2Buckets: ["BLOBS"],
      durableObjects: { METER: { className: "PenstockMeter", useSQLite: true } },
    });
    this.emptying = ["pragma defer_foreign_keys = on", ...tables.map((name) => `delete from "${name}"`)];
    this.migrations = migrations;
    this.made = 0;
    this.asked = new Set();
    this.written = new Set();
  }

  async start() {
    await this.miniflare.ready;
    Object.assign(this, { KV: kv(this.miniflare), BLOBS: r2(this.miniflare) });
    this.databases = DATABASES.map((name) => database(this.miniflare, name));
    for (const tables of this.databases) await tables.batch(this.migrations.map((sql) => tables.prepare(sql)));
  }

  async open() {
    const number = this.made++;
    const tables = this.databases[number % DATABASES.length];
    if (this.written.delete(tables)) await tables.batch(this.emptying.map((sql) => tables.prepare(sql)));
    const keyed = (binding) => this.#keyed(binding, number);
    return { KV: keyed(this.KV), BLOBS: keyed(this.BLOBS), DB: this.#tables(tables), METER: this.#objects(number), replies: this.#replies(number), vectorize: (dimensions) => this.#vectorize(dimensions) };
  }

  #keyed(binding, number) {
    const method = (name) => (key, ...rest) => this.#watch(binding[name](`${number}:${key}`, ...rest));
    return { get: method("get"), put: method("put"), delete: method("delete") };
  }

  #replies(number) {
    const kept = cache(this.miniflare, `?${number}`);
    const method = (name) => (...asked) => this.#watch(kept[name](...asked));
    return { match: method("match"), put: method("put"), delete: method("delete") };
  }

  #vectorize(dimensions) {
    const index = new VectorizeIndexImpl(dimensions, ["owner", "document"], true);
    const method = (name) => (...asked) => this.#watch(index[name](...asked));
    return { describe: method("describe"), upsert: method("upsert"), deleteByIds: method("deleteByIds"), query: method("query") };
  }

  #tables(tables) {
    const watched = (statement) => ({
      statement,
      bind: (...args) => watched(statement.bind(...args)),
      raw: () => this.#watch(statement.raw()),
    });
    return {
      prepare: (sql) => watched(tables.prepare(sql)),
      batch: (all) => {
        this.written.add(tables);
        return this.#watch(tables.batch(all.map(({ statement }) => statement)));
      },
    };
  }

  #objects(number) {
    const run = (name, body) => object(this.miniflare, `${number}:${name}`, body);
    return { getByName: (name) => ({ run: (text) => this.#watch(run(name, text)) }) };
  }

  // What is asked counts until it is answered, and so does the answer's own content.
  #watch(promise) {
    const watched = promise.then((answer) => {
      const methods = ["arrayBuffer"].filter((name) => typeof answer?.[name] === "function");
      if (!methods.length) return answer;
      return Object.fromEntries(methods.map((name) => [name, () => this.#watch(answer[name]())]));
    });
    const ended = () => this.asked.delete(watched);
    watched.then(ended, ended);
    this.asked.add(watched);
    return watched;
  }

  waits() {
    return this.asked.size > 0;
  }

  answered() {
    return Promise.allSettled(this.asked);
  }

  pause(milliseconds) {
    return new Promise((done) => setTimeout(done, milliseconds));
  }

  end() {
    return this.miniflare.dispose();
  }
}

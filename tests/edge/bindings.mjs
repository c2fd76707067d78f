// workerd's own KV, D1, R2 and Durable Objects, for whoever runs Pyodide beside them.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

import { Miniflare, Response } from "miniflare";

import { cache } from "./caches.mjs";
import { database } from "./d1.mjs";
import { object } from "./relayed.mjs";
import { kv, r2 } from "./stored.mjs";

export const tests = fileURLToPath(new URL(".", import.meta.url));

const module = (path, file) => ({ type: "ESModule", path, contents: readFileSync(file, "utf8") });

// Of the package in `source`, and a global cache as workerd has it; `probe` is what the object has the gateway do; with `counting` the object tells what its statements took.
export async function bound(source, counting, probe) {
  const shipped = join(source, "penstock/platforms/cloudflare/meter_object.js");
  const probing = async (request) => {
    try {
      return new Response(await probe(await request.text()));
    } catch {
      return new Response(null, { status: 500 });
    }
  };
  const miniflare = new Miniflare({
    name: "relay",
    serviceBindings: { GATEWAY: { name: "relay", entrypoint: "Gateway" }, NODE: probing },
    modules: [
      module("relay.mjs", join(tests, "relay.mjs")),
      ...(counting
        ? [module("meter_object.js", join(tests, "counted_object.mjs")), module("shipped.js", shipped)]
        : [module("meter_object.js", shipped)]),
    ],
    compatibilityDate: "2026-04-01",
    kvNamespaces: ["KV"],
    d1Databases: ["DB"],
    r2Buckets: ["BLOBS"],
    durableObjects: { METER: { className: "PenstockMeter", useSQLite: true } },
  });
  // What the rows of a question took only D1's own answer says.
  const DB = counting ? (await miniflare.getBindings()).DB : database(miniflare, "DB");
  globalThis.caches = { default: cache(miniflare) };
  const METER = { getByName: (name) => ({ run: (body) => object(miniflare, name, body) }) };
  return { miniflare, KV: kv(miniflare), DB, BLOBS: r2(miniflare), METER };
}

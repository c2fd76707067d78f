// Real Pyodide on real workerd bindings: reads requests, one JSON text a line, has inside.py answer them, writes the replies.
// Run by home.py: node home.mjs SOURCE PACKAGES ["counted"]

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { Ai } from "./ai.mjs";
import { VectorizeIndexImpl } from "./vectorize.mjs";

import { Miniflare } from "miniflare";
import { loadPyodide } from "pyodide";

import { counted, counts } from "./counted.mjs";

const [source, packages, counting] = process.argv.slice(2);
const tests = fileURLToPath(new URL(".", import.meta.url));

const module = (path, file) => ({ type: "ESModule", path, contents: readFileSync(file, "utf8") });
const shipped = join(source, "penstock/platforms/cloudflare/meter_object.js");
const miniflare = new Miniflare({
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
const { KV, DB, BLOBS } = await miniflare.getBindings();
const METER = {
  getByName: (name) => ({
    async run(body) {
      const url = `http://meter/?object=${encodeURIComponent(name)}`;
      return (await miniflare.dispatchFetch(url, { method: "POST", body })).text();
    },
  }),
};
globalThis.fakes = { AI: new Ai(), VectorizeIndexImpl };

// Python's own output would stand among the replies.
const pyodide = await loadPyodide({ stdout: console.error, stderr: console.error });
// What workerd gives the SDK.
pyodide.registerJsModule("_pyodide_entrypoint_helper", { cloudflareWorkersModule: {}, cloudflareSocketsModule: {} });
pyodide.registerJsModule("_cloudflare_compat_flags", {});
for (const [place, folder] of Object.entries({ source, packages, tests })) {
  pyodide.FS.mkdirTree(`/${place}`);
  pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: folder }, `/${place}`);
}
pyodide.runPython("import sys; sys.dont_write_bytecode = True; sys.path[:0] = ['/source', '/packages', '/tests']");
const bindings = { KV, DB, BLOBS, METER };
const answer = pyodide.pyimport("inside").Home(counting ? counted(bindings) : bindings, counts).answer;

const write = (reply) => process.stdout.write(`${reply}\n`);
write("ready");
const open = new Set();
for await (const line of createInterface({ input: process.stdin })) {
  const reply = answer(line).then(write).finally(() => open.delete(reply));
  open.add(reply);
}
await Promise.all(open);
await miniflare.dispose();

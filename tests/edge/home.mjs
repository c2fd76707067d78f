// Real Pyodide on real workerd bindings: reads requests, one JSON text a line, has inside.py answer them, writes the replies.
// Run by home.py: node home.mjs SOURCE PACKAGES ["counted"]

import { createInterface } from "node:readline";

import { loadPyodide } from "pyodide";

import { Ai } from "./ai.mjs";
import { bound, tests } from "./bindings.mjs";
import { counted, counts } from "./counted.mjs";
import { VectorizeIndexImpl } from "./vectorize.mjs";

const [source, packages, counting] = process.argv.slice(2);
const { miniflare, KV, DB, BLOBS, METER } = await bound(source, counting, (text) => home.probe(text));
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
const home = pyodide.pyimport("inside").Home(counting ? counted(bindings) : bindings, counts);
const answer = home.answer;

const write = (reply) => process.stdout.write(`${reply}\n`);
write("ready");
const open = new Set();
for await (const line of createInterface({ input: process.stdin })) {
  const reply = answer(line).then(write).finally(() => open.delete(reply));
  open.add(reply);
}
await Promise.all(open);
await miniflare.dispose();

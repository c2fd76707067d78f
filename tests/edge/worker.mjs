// The Worker over HTTP: its unmodified Python entry in Pyodide, on Miniflare's bindings. Run by worker.py:
// node worker.mjs SOURCE PACKAGES ["measured" or "counted"], then one JSON line {settings, vars, without, dimensions} on standard input. It writes {port} as a
// JSON line, and answers each later line {id, what, …} by one of its own.

import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { join, relative } from "node:path";

import * as miniflareModule from "miniflare";
import { loadPyodide } from "pyodide";

import { Ai } from "./ai.mjs";
import { bound } from "./bindings.mjs";
import { counted, counts } from "./counted.mjs";
import { VectorizeIndexImpl } from "./vectorize.mjs";
import { fetching, measure, measured } from "./measured.mjs";

const { Request, Response, Headers, fetch } = miniflareModule;
const [source, packages, how] = process.argv.slice(2);
const measuring = how === "measured";
const counting = how === "counted";
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const start = JSON.parse((await lines.next()).value);

const { miniflare, KV, DB, BLOBS, METER } = await bound(source, counting, (text) => Default({ waitUntil }, env).probe(text));
let env;
// What is bound as ASSETS: files by their path, told apart by their tag.
class Assets {
  constructor(files) {
    this.files = files;
  }
  async fetch(request) {
    const text = this.files[new URL(request.url).pathname];
    if (text === undefined) return new Response(null, { status: 404 });
    const headers = { "content-type": "text/html; charset=utf-8", etag: `"${text.length}"`, "set-cookie": "a=b", "x-frame-options": "ALLOW" };
    if (request.headers.get("if-none-match") === headers.etag) return new Response(null, { status: 304, headers });
    return new Response(text, { headers });
  }
}
function bind({ vars, without = [], dimensions = 0, assets }) {
  const bindings = { KV, DB, BLOBS, METER };
  env = { AI: new Ai(), ...(measuring ? measured(bindings) : counting ? counted(bindings) : bindings), ...vars };
  if (dimensions) env.VECTORIZE = new VectorizeIndexImpl(dimensions, ["owner", "document"]);
  if (assets) env.ASSETS = new Assets(assets);
  for (const name of without) delete env[name];
}
bind(start);

// What workerd has and Node 20 lacks.
Promise.withResolvers ??= () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};
Object.assign(globalThis, { Request, Response, Headers, fetch: measuring ? fetching(fetch) : fetch });

const waited = new Set();
const waitUntil = (promise) => {
  const waiting = Promise.resolve(promise).catch(() => {}).finally(() => waited.delete(waiting));
  waited.add(waiting);
};
const patchWaitUntil = () => {};

const pyodide = await loadPyodide({ stdout: console.error, stderr: console.error });
pyodide.registerJsModule("_pyodide_entrypoint_helper", {
  cloudflareWorkersModule: { waitUntil },
  cloudflareSocketsModule: {},
  patchWaitUntil,
  doAnImport: (name) => import(name),
});
pyodide.registerJsModule("_cloudflare_compat_flags", {
  python_workflows_implicit_dependencies: true,
  python_request_headers_preserve_commas: true,
});
// As a Worker has them, in memory.
for (const [place, folder] of Object.entries({ source, packages })) {
  for (const file of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!file.isFile() || file.name.endsWith(".pyc")) continue;
    const inside = join(`/${place}`, relative(folder, file.parentPath ?? file.path));
    pyodide.FS.mkdirTree(inside);
    pyodide.FS.writeFile(join(inside, file.name), readFileSync(join(file.parentPath ?? file.path, file.name)));
  }
}
const log = [];
pyodide.runPython(`
import sys
sys.dont_write_bytecode = True
sys.path[:0] = ["/source", "/packages"]
`);
// The SDK is the runtime's own: it is there before any Worker.
pyodide.runPython("import workers");
const began = performance.now();
pyodide.runPython(`
from penstock.entry.workers import worker
`);
const importMs = performance.now() - began;
const worker = pyodide.globals.get("worker");
let Default = worker(start.settings);
console.log = (line) => log.push(String(line));

async function serve(request) {
  // As workerd does it: a new instance of the class for each event.
  const instance = Default({ waitUntil }, env);
  const answer = await instance.fetch(request);
  return answer?.js_object ?? answer;
}

function asked(incoming, signal) {
  const headers = [];
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) headers.push(incoming.rawHeaders.slice(at, at + 2));
  if (!incoming.headers["cf-connecting-ip"]) headers.push(["cf-connecting-ip", incoming.socket.remoteAddress]);
  const has = incoming.headers["content-length"] || incoming.headers["transfer-encoding"];
  const body = has && !["GET", "HEAD"].includes(incoming.method) ? incoming : undefined;
  return new Request(`http://${incoming.headers.host}${incoming.url}`, {
    method: incoming.method,
    headers: headers.filter(([name]) => !["connection", "transfer-encoding", "keep-alive"].includes(name.toLowerCase())),
    body,
    duplex: "half",
    signal,
    cf: { colo: "TST", country: "NL" },
  });
}

async function send(answer, outgoing) {
  for (const [name, value] of answer.headers) outgoing.appendHeader(name, value);
  outgoing.writeHead(answer.status);
  outgoing.flushHeaders();
  if (answer.body !== null) {
    const reader = answer.body.getReader();
    outgoing.on("close", () => reader.cancel().catch(() => {}));
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (!outgoing.write(part.value)) await new Promise((go) => outgoing.once("drain", go).once("close", go));
    }
  }
  outgoing.end();
}

const server = createServer(async (incoming, outgoing) => {
  const leaving = new AbortController();
  outgoing.on("close", () => outgoing.writableFinished || leaving.abort());
  try {
    await send(await serve(asked(incoming, leaving.signal)), outgoing);
  } catch (error) {
    if (!leaving.signal.aborted) console.error(error);
    outgoing.destroy();
  }
});

const idle = async () => {
  while (waited.size) await Promise.all(waited);
};
const doing = {
  batch: async ({ statements }) =>
    (await DB.batch(statements.map(([sql, args]) => DB.prepare(sql).bind(...args)))).map((done) => done.results),
  scheduled: async () => {
    await Default({ waitUntil }, env).scheduled({ cron: "* * * * *" });
  },
  again: (other) => {
    bind(other);
    Default = worker(other.settings);
  },
  // A body that fails in its course, before any signal says that its client has left.
  broken: async ({ path, headers, begins }) => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(begins)),
      pull: (controller) => controller.error(new TypeError("Network connection lost.")),
    });
    return (await serve(new Request(`http://worker.test${path}`, { method: "POST", headers, body, duplex: "half" }))).status;
  },
  idle,
  // The object's alarm, at once.
  alarm: async () => void (await METER.getByName("probes").run(JSON.stringify({ steps: [], alarm: 1 }))),
  counts: () => ({ ...counts }),
  log: () => log.splice(0),
  measure: ({ requests }) =>
    measure(
      requests,
      async ({ path, ...init }) => {
        const answer = await serve(new Request(`http://worker.test${path}`, init));
        await answer.text();
        return answer.status;
      },
      idle,
    ),
};

server.listen(0, "127.0.0.1", () => say({ port: server.address().port, importMs }));
for await (const line of { [Symbol.asyncIterator]: () => lines }) {
  const { id, what, ...given } = JSON.parse(line);
  Promise.resolve(doing[what](given)).then(
    (told) => say({ id, told: told ?? null }),
    (error) => say({ id, failed: String(error) }),
  );
}
server.closeAllConnections();
server.close();
await miniflare.dispose();
process.exit(0);

// The path tests' place: pytest in Pyodide, on a Worker's bindings. Reads a file's name a line, writes its report a line.
// Run by test_paths.py: node paths.mjs ROOT PACKAGES SITE; the first line it reads is what the databases hold.

import { createInterface } from "node:readline";
import { join } from "node:path";

import { loadPyodide } from "pyodide";

import { Worlds } from "./worlds.mjs";

const [root, packages, site] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const write = (reply) => process.stdout.write(`${reply}\n`);

const { tables, migrations } = JSON.parse((await lines.next()).value);
const worlds = new Worlds(root, tables, migrations);
await worlds.start();
globalThis.caches = {};

const pyodide = await loadPyodide({ stdout: console.error, stderr: console.error });
const folders = { "/penstock/src": join(root, "src"), "/penstock/tests": join(root, "tests"), "/packages": packages, "/site": site };
for (const [place, folder] of Object.entries(folders)) {
  pyodide.FS.mkdirTree(place);
  pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: folder }, place);
}
// pytest is pure Python: the very one that runs outside.
pyodide.runPython(`
import sys
sys.dont_write_bytecode = True
sys.path[:] = ["/penstock/src", "/penstock", "/packages", *sys.path, "/site"]
`);
pyodide.globals.set("worlds", worlds);
const run = pyodide.runPython("from tests.edge import within; within.Runs(worlds).run");

write(JSON.stringify("ready"));
for await (const line of { [Symbol.asyncIterator]: () => lines }) write(await run.callPromising(line));
await worlds.end();

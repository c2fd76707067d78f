// Prints what a browser loads, compressed, and fails above the limit.
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const LIMIT = 150 * 1024;
const ROOT = new URL('../../src/penstock/dashboard/', import.meta.url).pathname;
const kb = (bytes) => `${(bytes / 1024).toFixed(1)} KB`.padStart(9);

const files = readdirSync(ROOT, { recursive: true, withFileTypes: true })
  .filter((one) => one.isFile() && ['.js', '.css', '.html', '.svg'].includes(extname(one.name)))
  .map((one) => join(one.parentPath, one.name))
  .map((path) => ({
    name: path.slice(ROOT.length),
    size: gzipSync(readFileSync(path), { level: 9 }).length,
  }))
  .toSorted((one, other) => other.size - one.size);
const total = files.reduce((sum, one) => sum + one.size, 0);

for (const { name, size } of files) process.stdout.write(`${kb(size)}  ${name}\n`);
process.stdout.write(`${kb(total)}  altogether, compressed; at most ${kb(LIMIT).trim()}\n`);
if (total > LIMIT) {
  process.stderr.write('The dashboard is larger than it may be.\n');
  process.exit(1);
}

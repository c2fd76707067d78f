// Vectorize, which has no local simulation: the documented shapes and limits, exact scores, and changes that are taken in
// later: each describe() lets one more of them in, once it has answered. A prompt one takes them in at once.

const LIMITS = { dimensions: 1536, id: 64, metadata: 10 << 10, batch: 1000, bare: 100, full: 20, indexed: 64, indexes: 10 };
const bytes = (text) => new TextEncoder().encode(text);
const fail = (operation, code, text) => {
  throw new Error(`${operation}_ERROR (code = ${code}): ${text}`);
};

// A filter reads the first 64 bytes of a text, cut where a letter ends.
const indexed = (value) =>
  typeof value === "string" ? new TextDecoder().decode(bytes(value).slice(0, LIMITS.indexed)).replace(/\uFFFD+$/, "") : value;

const cosine = (one, other) => {
  let product = 0, a = 0, b = 0;
  for (let at = 0; at < one.length; at++) {
    product += one[at] * other[at];
    a += one[at] ** 2;
    b += other[at] ** 2;
  }
  return product / Math.sqrt(a * b);
};

export class VectorizeIndexImpl {
  #dimensions;
  #indexes;
  #vectors = new Map();
  #waiting = [];
  #last = { id: "", at: null };
  #mutations = 0;
  #prompt;
  broken = "";

  constructor(dimensions, metadataIndexes, prompt = false) {
    if (dimensions > LIMITS.dimensions || metadataIndexes.length > LIMITS.indexes) throw new Error("above a limit");
    this.#dimensions = dimensions;
    this.#prompt = prompt;
    this.#indexes = new Set(metadataIndexes);
  }

  // wrangler's, not the binding's: what is in already is not looked at again.
  createMetadataIndex(name) {
    this.#indexes.add(name);
  }

  async describe() {
    this.#reach("INDEX_GET");
    const told = {
      vectorCount: this.#vectors.size,
      dimensions: this.#dimensions,
      processedUpToDatetime: this.#last.at,
      processedUpToMutation: this.#last.id,
    };
    this.#takeIn();
    return told;
  }

  async upsert(vectors) {
    this.#reach("VECTOR_UPSERT");
    if (vectors.length > LIMITS.batch) fail("VECTOR_UPSERT", 40008, "too many vectors");
    for (const { id, values, metadata } of vectors) {
      if (bytes(id).length > LIMITS.id) fail("VECTOR_UPSERT", 40008, "id too long");
      if (values.length !== this.#dimensions) fail("VECTOR_UPSERT", 40012, `expected ${this.#dimensions} dimensions`);
      if (bytes(JSON.stringify(metadata ?? {})).length > LIMITS.metadata) fail("VECTOR_UPSERT", 40008, "metadata too large");
    }
    return this.#later(() => {
      for (const { id, values, metadata } of vectors) {
        const entries = Object.entries(metadata ?? {}).filter(([name]) => this.#indexes.has(name));
        const filtered = Object.fromEntries(entries.map(([name, value]) => [name, indexed(value)]));
        this.#vectors.set(id, { values: Float32Array.from(values), metadata, filtered });
      }
    });
  }

  async deleteByIds(ids) {
    this.#reach("VECTOR_DELETE");
    if (ids.length > LIMITS.batch) fail("VECTOR_DELETE", 40008, "too many ids");
    return this.#later(() => ids.forEach((id) => this.#vectors.delete(id)));
  }

  async query(vector, options = {}) {
    this.#reach("VECTOR_QUERY");
    const { topK = 5, filter = {}, returnValues = false, returnMetadata = "none" } = options;
    const bare = !returnValues && (returnMetadata === "none" || returnMetadata === false);
    if (topK < 1 || topK > (bare ? LIMITS.bare : LIMITS.full)) fail("VECTOR_QUERY", 40025, "invalid top_k");
    if (vector.length !== this.#dimensions) fail("VECTOR_QUERY", 40006, `expected ${this.#dimensions} dimensions`);
    const fits = ({ filtered }) => Object.entries(filter).every(([name, value]) => filtered[name] === indexed(value));
    const matches = [...this.#vectors]
      .filter(([, kept]) => fits(kept))
      .map(([id, kept]) => ({ id, score: cosine(vector, kept.values) }))
      .sort((one, other) => other.score - one.score)
      .slice(0, topK);
    return { count: matches.length, matches };
  }

  #reach(operation) {
    if (this.broken === operation) fail(operation, 10000, "unavailable sk-secret-of-the-platform");
  }

  #later(change) {
    const id = `00000000-0000-4000-8000-${String(++this.#mutations).padStart(12, "0")}`;
    this.#waiting.push({ change, id, at: new Date().toISOString() });
    if (this.#prompt) this.#takeIn();
    return { mutationId: id };
  }

  #takeIn() {
    const next = this.#waiting.shift();
    if (!next) return;
    next.change();
    this.#last = next;
  }
}

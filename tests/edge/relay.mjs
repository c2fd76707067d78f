// The Worker around the bindings in tests. Miniflare takes 0.1 s to hand an object's stub to Node, and 35 ms for a batch of
// D1's; workerd hands both to this.

import { WorkerEntrypoint } from "cloudflare:workers";

export { PenstockMeter } from "./meter_object.js";

// The gateway as the object's service binding has it; what it does is Node's.
export class Gateway extends WorkerEntrypoint {
  async probe(body) {
    const answer = await this.env.NODE.fetch("https://node/", { method: "POST", body });
    if (!answer.ok) throw new Error("The gateway cannot probe.");
    return answer.text();
  }
}

export default {
  async fetch(request, env) {
    const { searchParams } = new URL(request.url);
    const object = searchParams.get("object");
    if (searchParams.has("cache")) return replies(searchParams, request);
    if (searchParams.has("stored")) return stored(searchParams, env, request);
    if (object !== null) return new Response(await env.METER.getByName(object).run(await request.text()));
    return tables(env[searchParams.get("tables")], request);
  },
};

// What caches.mjs asks of the cache.
async function replies(asked, request) {
  const { default: cache } = caches;
  const url = asked.get("url");
  try {
    if (asked.get("cache") === "match") return (await cache.match(url)) ?? new Response(null, { status: 404 });
    if (asked.get("cache") === "delete") return new Response(null, { status: (await cache.delete(url)) ? 200 : 404 });
    const headers = { "cache-control": request.headers.get("cache-control") };
    await cache.put(url, new Response(await request.arrayBuffer(), { headers }));
    return new Response();
  } catch (error) {
    return new Response(String(error.message), { status: 500 });
  }
}

// What stored.mjs asks of KV and R2.
async function stored(asked, env, request) {
  const [key, ttl, binding] = [asked.get("key"), asked.get("ttl"), env[asked.get("stored")]];
  try {
    if (asked.get("how") === "list") {
      const { keys, objects } = await binding.list();
      return Response.json(keys ? keys.map(({ name }) => name) : objects.map((one) => one.key));
    }
    if (asked.get("how") === "get") {
      const found = binding === env.KV ? await binding.get(key, "arrayBuffer") : await (await binding.get(key))?.arrayBuffer();
      return found ? new Response(found) : new Response(null, { status: 404 });
    }
    if (asked.get("how") === "delete") await binding.delete(key);
    else await binding.put(key, await request.arrayBuffer(), ...(ttl ? [{ expirationTtl: Number(ttl) }] : []));
    return new Response();
  } catch (error) {
    return new Response(String(error.message), { status: 500 });
  }
}

// What d1.mjs asks of one database, answered as D1 answers it.
async function tables(database, request) {
  const { how, statements } = await request.json();
  const prepared = statements.map(({ sql, args }) => {
    const statement = database.prepare(sql);
    return args.length ? statement.bind(...args.map(value)) : statement;
  });
  try {
    return Response.json({ answer: await (how === "batch" ? database.batch(prepared) : prepared[0].raw()) });
  } catch (error) {
    return Response.json({ error: String(error.message) });
  }
}

const value = (given) =>
  given?.bytes === undefined ? given : Uint8Array.from(atob(given.bytes), (letter) => letter.charCodeAt(0));

// The Worker around the bindings in tests. Miniflare takes 0.1 s to hand an object's stub to Node, and 35 ms for a batch of
// D1's; workerd hands both to this.

export { PenstockMeter } from "./meter_object.js";

export default {
  async fetch(request, env) {
    const { searchParams } = new URL(request.url);
    const object = searchParams.get("object");
    if (object !== null) return new Response(await env.METER.getByName(object).run(await request.text()));
    return tables(env[searchParams.get("tables")], request);
  },
};

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

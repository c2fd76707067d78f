// What is asked of the Worker around the bindings: over a connection of its own, for Miniflare's pool of them stays broken
// for good once one of its assertions has failed, as it does now and then on a busy machine.

import { request } from "node:http";

export async function relayed(miniflare, query, body) {
  const url = new URL(query, await miniflare.ready);
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: "POST", agent: false }, async (reply) => {
      try {
        resolve(Buffer.concat(await reply.toArray()).toString());
      } catch (error) {
        reject(error);
      }
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

export const object = (miniflare, name, body) => relayed(miniflare, `/?object=${encodeURIComponent(name)}`, body);

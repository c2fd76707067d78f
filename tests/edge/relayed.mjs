// What is asked of the Worker around the bindings: over a connection of its own, for Miniflare's pool of them stays broken
// for good once one of its assertions has failed, as it does now and then on a busy machine.

import { request } from "node:http";

async function relayedBytes(miniflare, query, body, headers = {}) {
  const url = new URL(query, await miniflare.ready);
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: "POST", agent: false, headers }, async (reply) => {
      try {
        resolve({ status: reply.statusCode, content: Buffer.concat(await reply.toArray()) });
      } catch (error) {
        reject(error);
      }
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

// The bytes of a reply, undefined where nothing is there; raises what the relay could not do.
export async function relayedContent(miniflare, query, body, headers) {
  const { status, content } = await relayedBytes(miniflare, query, body, headers);
  if (status === 500) throw new Error(content.toString());
  return status === 404 ? undefined : new Uint8Array(content).buffer;
}

export const relayed = async (miniflare, query, body) => (await relayedBytes(miniflare, query, body)).content.toString();

export const object = (miniflare, name, body) => relayed(miniflare, `/?object=${encodeURIComponent(name)}`, body);

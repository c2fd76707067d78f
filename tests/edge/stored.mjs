// KV and R2 as a Worker's bindings have them, as far as the adapters ask; what keeps and answers is workerd's own.

import { relayedContent } from "./relayed.mjs";

const asking = (miniflare, stored) => (how, key = "", value = undefined, ttl = "") =>
  relayedContent(miniflare, `/?${new URLSearchParams({ stored, how, key, ttl })}`, value && Buffer.from(value));

const names = (content) => JSON.parse(Buffer.from(content).toString());

export function kv(miniflare) {
  const ask = asking(miniflare, "KV");
  return {
    get: async (key) => (await ask("get", key)) ?? null,
    put: async (key, value, options) => void (await ask("put", key, value, options?.expirationTtl)),
    delete: async (key) => void (await ask("delete", key)),
    list: async () => ({ keys: names(await ask("list")).map((name) => ({ name })) }),
  };
}

export function r2(miniflare) {
  const ask = asking(miniflare, "BLOBS");
  return {
    get: async (key) => {
      const content = await ask("get", key);
      return content === undefined ? null : { arrayBuffer: async () => content };
    },
    put: async (key, value) => void (await ask("put", key, value)),
    delete: async (key) => void (await ask("delete", key)),
    list: async () => ({ objects: names(await ask("list")).map((key) => ({ key })) }),
  };
}

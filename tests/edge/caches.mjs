// A data centre's cache as a Worker has it, each call one message to the relay: what keeps and answers is workerd's own Cache API.

import { relayedContent } from "./relayed.mjs";

export function cache(miniflare, mark = "") {
  const ask = async (how, url, response) => {
    const headers = { "cache-control": response?.headers.get("cache-control") ?? "" };
    const body = response && Buffer.from(await response.arrayBuffer());
    const asked = new URLSearchParams({ cache: how, url: `${url}${mark}` });
    const content = await relayedContent(miniflare, `/?${asked}`, body, headers);
    return content && { arrayBuffer: async () => content };
  };
  return {
    match: (url) => ask("match", url),
    put: async (url, response) => void (await ask("put", url, response)),
    delete: async (url) => (await ask("delete", url)) !== undefined,
  };
}

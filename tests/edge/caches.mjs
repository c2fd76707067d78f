// A data centre's cache as a Worker has it, each call one message to the relay: what keeps and answers is workerd's own Cache API.

export function cache(miniflare, mark = "") {
  const ask = async (how, url, response) => {
    const headers = { "cache-control": response?.headers.get("cache-control") ?? "" };
    const body = response && (await response.arrayBuffer());
    const asked = `https://relay/?cache=${how}&url=${encodeURIComponent(`${url}${mark}`)}`;
    const answer = await miniflare.dispatchFetch(asked, { method: "POST", headers, body });
    const content = await answer.arrayBuffer();
    if (answer.status === 500) throw new Error(Buffer.from(content).toString());
    return answer.status === 404 ? undefined : { arrayBuffer: async () => content };
  };
  return {
    match: (url) => ask("match", url),
    put: async (url, response) => void (await ask("put", url, response)),
    delete: async (url) => (await ask("delete", url)) !== undefined,
  };
}

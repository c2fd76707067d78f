// Workers AI, which has no local simulation: what the binding documents, for models that are none.

const MOST_TEXTS = 100;
const DIMENSION = 768;
const CHATS = new Set(["@cf/ibm-granite/granite-4.0-h-micro", "@cf/meta/llama-3.1-8b-instruct-fp8-fast"]);
const EMBEDDERS = new Set(["@cf/baai/bge-base-en-v1.5", "@cf/baai/other"]);

class InferenceUpstreamError extends Error {
  name = "InferenceUpstreamError";
}

const json = (body, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
const refused = (status, internalCode, description) =>
  json({ internalCode, name: "AiError", description: `${description} sk-secret-of-the-platform` }, status);

// The last message says what goes wrong, if anything is to.
const FAULTS = {
  "!capacity": () => refused(429, 3040, "Capacity temporarily exceeded, please try again."),
  "!allotment": () => refused(429, 3036, "You have used up your daily free allocation of 10,000 neurons."),
  "!context": () => refused(413, 3006, "Request exceeds the model's context window"),
  "!internal": () => refused(500, 3043, "Internal server error"),
  "!lost": () => {
    throw new Error("Network connection lost.");
  },
};

function stream(text, usage, signal) {
  const pieces = [...text.split(" ").map((word) => ({ response: `${word} `, p: "ab" })), { response: "", usage }];
  const waits = text.includes("!wait");
  const body = new ReadableStream({
    start: (controller) => signal?.addEventListener("abort", () => controller.error(signal.reason)),
    pull(controller) {
      const piece = pieces.shift();
      if (waits && pieces.length === 0) return new Promise(() => {});
      controller.enqueue(new TextEncoder().encode(piece ? `data: ${JSON.stringify(piece)}\n\n` : "data: [DONE]\n\n"));
      if (!piece) controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

async function chat({ messages, stream: streamed, max_tokens: most }, signal) {
  const asked = messages.at(-1).content;
  if (FAULTS[asked]) return FAULTS[asked]();
  if (asked === "!never") {
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  }
  const said = `echo ${asked}`.split(" ").slice(0, most);
  const usage = { prompt_tokens: asked.length, completion_tokens: said.length, total_tokens: asked.length + said.length };
  return streamed ? stream(said.join(" "), usage, signal) : json({ response: said.join(" "), tool_calls: [], usage });
}

function embed({ text }) {
  const texts = Array.isArray(text) ? text : [text];
  if (texts.length > MOST_TEXTS) return refused(400, 5006, `Input has more than ${MOST_TEXTS} texts`);
  const data = texts.map((one) => Array.from({ length: DIMENSION }, (_, at) => (one.charCodeAt(at % one.length) % 16) / 16));
  return json({ shape: [texts.length, DIMENSION], data, pooling: "cls" });
}

export class Ai {
  asked = [];

  async run(model, inputs, options = {}) {
    this.asked.push(model);
    const reply = await this.#reply(model, JSON.parse(JSON.stringify(inputs)), options);
    if (options.returnRawResponse) return reply;
    if (!reply.ok) {
      const { internalCode, description } = await reply.json();
      throw new InferenceUpstreamError(`${internalCode}: ${description}`);
    }
    return reply.headers.get("content-type") === "application/json" ? reply.json() : reply.body;
  }

  async #reply(model, inputs, { signal }) {
    if (CHATS.has(model) && Array.isArray(inputs.messages)) return chat(inputs, signal);
    if (EMBEDDERS.has(model) && inputs.text !== undefined) return embed(inputs);
    return CHATS.has(model) || EMBEDDERS.has(model)
      ? refused(400, 5004, "Invalid data")
      : refused(400, 5007, `No such model ${model} or task`);
  }
}

// The npm client as a program uses it: `node scenarios.mjs NAME` prints what it saw as one JSON object.

import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const hello = [{ role: "user", content: "hello there" }];
const tool = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } },
};

async function refused(work) {
  try {
    await work();
    return { name: "none" };
  } catch (error) {
    return {
      name: error.constructor.name,
      status: error.status ?? null,
      code: error.code ?? null,
      type: error.type ?? null,
      param: error.param ?? null,
      requestID: error.requestID ?? null,
      shouldRetry: error.headers?.get("x-should-retry") ?? null,
      retryAfter: error.headers?.get("retry-after") ?? null,
    };
  }
}

const scenarios = {
  async chat() {
    const { data, response, request_id } = await client.chat.completions
      .create({ model: "auto", messages: hello })
      .withResponse();
    const messages = [{ role: "user", content: "call tool" }];
    const asked = await client.chat.completions.create({ model: "auto", messages, tools: [tool] });
    const call = asked.choices[0].message.tool_calls[0];
    messages.push(asked.choices[0].message, { role: "tool", tool_call_id: call.id, content: "rain" });
    const told = await client.chat.completions.create({ model: "auto", messages, tools: [tool] });
    return {
      text: data.choices[0].message.content,
      usage: data.usage,
      requestID: [data._request_id, request_id, response.headers.get("x-request-id")],
      remaining: response.headers.get("x-ratelimit-remaining-requests"),
      tool: [asked.choices[0].finish_reason, call.function.name, JSON.parse(call.function.arguments)],
      told: told.choices[0].finish_reason,
      models: (await client.models.list()).data.map((model) => model.id),
      model: (await client.models.retrieve("openai/gpt-4o")).id,
    };
  },

  async stream() {
    const stream = await client.chat.completions.create({
      model: "auto", messages: hello, stream: true, stream_options: { include_usage: true },
    });
    let text = "", usage = null, finish = null, chunks = 0;
    for await (const chunk of stream) {
      chunks += 1;
      text += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    const left = await client.chat.completions.create({
      model: "gpt-4o-mini", stream: true,
      messages: [{ role: "user", content: "[[words:500]] [[fault:pace=50]]" }],
    });
    for await (const _ of left) break;
    const cut = await client.chat.completions.create({
      model: "gpt-4o-mini", stream: true,
      messages: [{ role: "user", content: "[[fault:close_mid=3]] one two three" }],
    });
    const broken = await refused(async () => { for await (const _ of cut); });
    return { text, usage, finish, chunks, broken };
  },

  async embeddings() {
    const one = await client.embeddings.create({ model: "embed", input: "hello" });
    const many = await client.embeddings.create({ model: "embed", input: ["hello", "world"] });
    const floats = await client.embeddings.create({ model: "embed", input: "hello", encoding_format: "float" });
    const short = await client.embeddings.create({ model: "embed", input: "hello", dimensions: 8 });
    return {
      lengths: [one, many, floats, short].map((reply) => reply.data.map((item) => item.embedding.length)),
      same: one.data[0].embedding.every((value, i) => value === floats.data[0].embedding[i]),
      norm: Math.hypot(...one.data[0].embedding),
      model: one.model,
      tokens: many.usage.total_tokens,
    };
  },

  async errors() {
    const ask = (more) => client.chat.completions.create({ model: "auto", messages: hello, ...more });
    const stalled = [{ role: "user", content: "[[fault:stall_first]]" }];
    return {
      key: await refused(() => client.withOptions({ apiKey: "pk-wrong" }).models.list()),
      model: await refused(() => ask({ model: "no-such" })),
      body: await refused(() => ask({ temperature: 9 })),
      impatient: await refused(() => ask({ model: "impatient", messages: stalled })),
      timeout: await refused(() =>
        client.chat.completions.create({ model: "gpt-4o-mini", messages: stalled }, { timeout: 300 })),
      again: await refused(() => {
        const once = client.withOptions({ apiKey: process.env.ONCE_KEY, maxRetries: 2 });
        return once.models.list().then(() => once.chat.completions.create({ model: "auto", messages: hello }))
          .then(() => once.chat.completions.create({ model: "auto", messages: hello }));
      }),
    };
  },

  async retries() {
    const patient = client.withOptions({ maxRetries: 2 });
    const billed = await refused(() =>
      patient.chat.completions.create({
        model: "gpt-4o-mini", messages: [{ role: "user", content: "[[fault:reset_after]]" }],
      }));
    const unbilled = await patient.chat.completions.create({ model: "impatient", messages: hello });
    return { billed, text: unbilled.choices[0].message.content };
  },
};

console.log(JSON.stringify(await scenarios[process.argv[2]]()));

/** Server-sent events out of a reply's body, whatever way its bytes are cut. */

export interface Event {
  event: string;
  data: string;
}

/** Takes text piece by piece and hands back the events that are whole. */
export class Reader {
  #rest = '';
  #event = '';
  #data: string[] = [];

  push(text: string): Event[] {
    this.#rest += text;
    const whole: Event[] = [];
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.#rest);
      if (!end) return whole;
      const line = this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
      const found = this.#line(line);
      if (found) whole.push(found);
    }
  }

  #line(line: string): Event | null {
    if (line === '') {
      const found = this.#data.length
        ? { event: this.#event || 'message', data: this.#data.join('\n') }
        : null;
      this.#event = '';
      this.#data = [];
      return found;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return null; // a comment, which keeps the connection open
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    return null;
  }
}

/** The events of a reply as they come; ends when the body does. */
export async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<Event> {
  const reader = new Reader();
  const source = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await source.read();
      yield* reader.push(done ? `${decoder.decode()}\n` : decoder.decode(value, { stream: true }));
      if (done) return;
    }
  } finally {
    source.cancel().catch(() => {});
  }
}

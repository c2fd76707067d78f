import { describe, expect, test } from 'vitest';
import { Reader, events, type Event } from '../src/lib/sse';

const TEXT =
  ': alive\n\ndata: {"a":1}\n\nevent: note\r\ndata: one\r\ndata:two\r\n\r\ndata: [DONE]\n\ndata: cut off';
const WANTED: Event[] = [
  { event: 'message', data: '{"a":1}' },
  { event: 'note', data: 'one\ntwo' },
  { event: 'message', data: '[DONE]' },
];

function body(pieces: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}

async function all(stream: ReadableStream<Uint8Array>): Promise<Event[]> {
  const found: Event[] = [];
  for await (const one of events(stream)) found.push(one);
  return found;
}

describe('the reader', () => {
  test('reads the same however the text is cut', () => {
    for (let size = 1; size <= TEXT.length; size++) {
      const reader = new Reader();
      const found: Event[] = [];
      for (let at = 0; at < TEXT.length; at += size) {
        found.push(...reader.push(TEXT.slice(at, at + size)));
      }
      expect(found, `pieces of ${size}`).toEqual(WANTED);
    }
  });

  test('an event without data is none', () => {
    expect(new Reader().push('event: ping\n\n:\n\nid: 7\n\n')).toEqual([]);
  });
});

test('a character that is cut between two pieces comes out whole', async () => {
  const bytes = new TextEncoder().encode('data: größer 🌊\n\n');
  const pieces = Array.from(bytes, (_, at) => bytes.slice(at, at + 1));
  expect(await all(body(pieces))).toEqual([{ event: 'message', data: 'größer 🌊' }]);
});

test('whoever stops reading ends the stream', async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('data: more\n\n')),
    cancel: () => {
      cancelled = true;
    },
  });
  for await (const one of events(endless)) {
    expect(one.data).toBe('more');
    break;
  }
  expect(cancelled).toBe(true);
});

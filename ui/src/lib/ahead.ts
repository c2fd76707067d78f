/** Requests that the boot script began while the application was still being fetched. */

const begun = new Map<string, Promise<Response>>();

export function begin(url: string): void {
  const asked = fetch(url, { headers: { accept: 'application/json' } });
  asked.catch(() => {}); // whoever takes it sees the failure
  begun.set(url, asked);
}

/** Whoever signs in must not get what was refused before. */
export const forget = (): void => begun.clear();

export function take(url: string): Promise<Response> | undefined {
  const found = begun.get(url);
  begun.delete(url);
  return found;
}

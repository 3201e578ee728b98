// What a sender was asked to do, and what it says it did; the Python senders' report.py explains.

export const TRACKS = 40;
export const PLACES = ["Zürich", "東京", "a\tb", ""];

export const task = JSON.parse(process.argv[2]);
export const user = (n) => `${task.run}-user-${n % 7}`;
export const visitor = (n) => `${task.run}-visitor-${n % 5}`;
export const past = (n) => new Date(Date.now() - ((n * 7) % 180) * 60_000 - n);

const sent = [];
const errors = [];

export const add = (event) => sent.push(event);
export const error = (what) => errors.push(String(what?.message ?? what).slice(0, 500));
export const print = () => process.stdout.write(JSON.stringify({ sent, errors }) + "\n");

/** Every call that a client of the Segment family is made to take: its method and its message. */
export function* calls() {
  for (let n = 0; n < TRACKS; n++) {
    const event = ["Order Completed", "Signed Up", "purchase"][n % 3];
    const who = n % 4 === 0 ? { anonymousId: visitor(n) } : { userId: user(n) };
    const when = n % 2 ? { timestamp: past(n) } : {};
    const properties = { n, price: 9.5, place: PLACES[n % PLACES.length], items: [1, { a: 2 }] };
    yield ["track", { event, properties, ...who, ...when }];
  }
  for (let n = 0; n < 2; n++) {
    const userId = user(n);
    yield ["identify", { userId, traits: { n, plan: "pro" } }];
    yield ["group", { userId, groupId: `group-${n}`, traits: { n } }];
    yield ["page", { userId, name: "Pricing", category: "docs", properties: { n } }];
    yield ["screen", { userId, name: "Home", properties: { n } }];
    yield ["alias", { userId, previousId: visitor(n) }];
  }
}

const TYPES = { page: "page_view", screen: "screen_view" };

/** One message as the SDK sends it, in the lake's words. */
export function inLake(message, at) {
  const properties = { ...(message.properties ?? message.traits) };
  for (const name of ["name", "category", "groupId", "previousId"]) {
    if (message[name] !== undefined) properties[name] = message[name];
  }
  return {
    event_id: message.messageId,
    event_type: message.event ?? TYPES[message.type] ?? message.type,
    at: new Date(at).toISOString(),
    user_id: message.userId ?? null,
    anonymous_id: message.anonymousId ?? null,
    properties,
  };
}

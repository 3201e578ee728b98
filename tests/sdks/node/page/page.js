// What pages do: each way of sending events to another origin, by the names that tests know.
// Each takes a task {url, run, key} and returns {sent, errors} in the lake's words.

const EVENTS = 12;
const PLACES = ["Zürich", "東京", "a\tb", ""];

const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

function anEvent(task, n) {
  return {
    event_id: crypto.randomUUID(),
    event_type: ["page_view", "purchase"][n % 2],
    timestamp: new Date(Date.now() - n * 60_000).toISOString(),
    user_id: `${task.run}-user-${n % 3}`,
    properties: { n, place: PLACES[n % PLACES.length], price: 9.5 },
  };
}

const events = (task) => Array.from({ length: EVENTS }, (_, n) => anEvent(task, n));
const inLake = ({ timestamp, ...rest }) => ({ at: timestamp, anonymous_id: null, ...rest });

/** POST, and come back when told to. */
async function post(url, options, errors) {
  for (let attempt = 0; attempt < 20; attempt++) {
    let answer;
    try {
      answer = await fetch(url, { method: "POST", ...options });
    } catch (failure) {
      errors.push(`nothing that a page may read: ${failure.message}`);
      return;
    }
    if (answer.status === 200) return;
    const seconds = answer.headers.get("Retry-After");
    if (seconds === null) {
      errors.push(`${answer.status}, and no Retry-After that a page may read`);
      return;
    }
    await sleep(Number(seconds));
  }
  errors.push("given up");
}

async function fetched(task, headers) {
  const sent = events(task);
  const errors = [];
  await post(`${task.url}/events/batch`, { headers, body: JSON.stringify(sent) }, errors);
  return { sent: sent.map(inLake), errors };
}

async function compressed(task) {
  const sent = events(task);
  const errors = [];
  const plain = new Blob([JSON.stringify({ events: sent })]).stream();
  const body = await new Response(plain.pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
  const headers = { "content-type": "application/json", "content-encoding": "gzip" };
  await post(`${task.url}/events/batch`, { headers, body }, errors);
  return { sent: sent.map(inLake), errors };
}

/** A string in sendBeacon is text/plain: no preflight, no answer to read. */
function beacon(task, event) {
  const taken = navigator.sendBeacon(`${task.url}/events`, JSON.stringify(event));
  return taken ? [] : [`the browser refused the beacon of ${event.event_id}`];
}

async function beacons(task) {
  const sent = events(task);
  return { sent: sent.map(inLake), errors: sent.flatMap((event) => beacon(task, event)) };
}

async function beaconOnLeaving(task) {
  const sent = events(task).slice(0, 3);
  addEventListener("pagehide", () => sent.forEach((event) => beacon(task, event)));
  return { sent: sent.map(inLake), errors: [] };
}

const TYPES = { page: "page_view", screen: "screen_view" };

/** analytics-next as its own documentation loads it, with settings in place of its CDN's. */
async function segment(task, order, deliveryStrategy) {
  const apiHost = `${task.url.replace("http://", "")}/v1`;
  const settings = { apiKey: task.key, apiHost, protocol: "http", deliveryStrategy };
  const [analytics] = await AnalyticsNext.AnalyticsBrowser.load({
    writeKey: task.key,
    cdnSettings: { integrations: { "Segment.io": settings } },
  });
  const sent = [];
  const errors = [];
  analytics.on("error", ({ code, reason }) => errors.push(`${code} ${reason}`));
  analytics.setAnonymousId(`${task.run}-visitor-0`);
  const user = `${task.run}-user-0`;
  const calls = {
    track: (n) => analytics.track("Order Completed", { n, place: PLACES[n % PLACES.length] }),
    page: (n) => analytics.page("docs", "Pricing", { n }),
    identify: (n) => analytics.identify(user, { n }),
    screen: (n) => analytics.screen("Home", { n }),
    group: (n) => analytics.group("group-7", { n }),
    alias: () => analytics.alias(user, `${task.run}-visitor-0`),
    again: (n) => analytics.track("purchase", { n }),
  };
  for (const [n, name] of order.entries()) {
    const { event } = await calls[name](n);
    const properties = { ...(event.properties ?? event.traits) };
    const kept = ["n", "place"].filter((key) => key in properties);
    sent.push({
      event_id: event.messageId,
      event_type: event.event ?? TYPES[event.type] ?? event.type,
      at: new Date(event.timestamp).toISOString(),
      user_id: event.userId ?? analytics.user().id() ?? null,
      anonymous_id: `${task.run}-visitor-0`,
      properties: Object.fromEntries(kept.map((key) => [key, properties[key]])),
    });
  }
  return { sent, errors };
}

const CALLS = ["track", "page", "identify", "screen", "group", "alias", "again"];
// An event that is sent again after `identify` is the user's: so where each event is a request of
// its own, and may be sent again on its own, the user is known from the start.
const USER_FIRST = ["identify", ...CALLS.filter((name) => name !== "identify")];

window.ways = {
  "fetch-json": (task) => fetched(task, { "content-type": "application/json" }),
  "fetch-text": (task) => fetched(task, {}),
  "fetch-gzip": compressed,
  "beacon": beacons,
  "beacon-on-leaving": beaconOnLeaving,
  "segment": (task) => segment(task, USER_FIRST),
  "segment-batching": (task) =>
    segment(task, CALLS, { strategy: "batching", config: { size: 10, timeout: 500 } }),
};

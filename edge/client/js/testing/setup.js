// A client on scripted edges, and a clock in the test's hands.

import { mock } from 'node:test';
import { connect } from '../selvedge.js';
import { fakeEdge } from './fake_edge.js';

const noEdges = async () => ({ ok: true, json: async () => ({ edges: [] }) });

/** random() is 1/2. */
export function setup(t, options = {}) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_700_000_000_000 });
  mock.method(Math, 'random', () => 0.5);
  const edge = fakeEdge();
  const client = connect({ edges: 'http://a.test', token: 'T', fetch: noEdges, ...options, WebSocket: edge.WebSocket });
  const seen = [];
  for (const event of ['state', 'welcome', 'message', 'joined', 'left', 'live', 'gap', 'edge', 'error', 'object', 'activity']) {
    client.on(event, (detail) => seen.push([event, detail]));
  }
  t.after(() => {
    client.close();
    mock.timers.reset();
    mock.restoreAll();
  });
  const of = (event) => seen.filter(([name]) => name === event).map(([, detail]) => detail);
  return { client, edge, seqs: () => of('message').map((m) => m.seq), of };
}

/** Lets promises run, then moves the clock. */
export async function pass(ms) {
  await new Promise(setImmediate);
  mock.timers.tick(ms);
  await new Promise(setImmediate);
}

// The demo page: picks a user and an edge, connects, and wires state to view.

import { connect } from '/sdk/selvedge.js';
import { startChat } from './chat.js';
import { setUpPanels } from './panels.js';
import * as route from './route.js';
import { $, duration } from './view.js';

/** How often the round trip to the edge is measured. */
const PING_MS = 3000;
const TRIPS = 6;

const config = await load();
let session = null;

if (config) {
  fillSelects();
  $('console').href = config.console;
  addEventListener('popstate', start);
  $('user').addEventListener('change', () => choose({ user: $('user').value }));
  $('edge').addEventListener('change', () => choose({ edge: $('edge').value }));
  setUpPanels();
  start();
}

async function load() {
  try {
    const answer = await fetch('/dev/config');
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return await answer.json();
  } catch (e) {
    say('closed', `This page can’t reach its core (${e.message}). Is “selvedge dev” running? Reload to try again.`);
    return null;
  }
}

function fillSelects() {
  $('user').append(...config.users.map((u) => new Option(u.name, u.id)));
  $('edge').append(...config.edges.map((e) => new Option(`${e.region} (${e.title})`, e.region)));
}

/** Who and where, from the address. What it doesn't say, or says wrongly, is the first. */
function chosen() {
  const query = new URLSearchParams(location.search);
  const user = config.users.find((u) => u.id === query.get('user')) ?? config.users[0];
  const edge = config.edges.find((e) => e.region === query.get('edge')) ?? config.edges[0];
  return { user, edge, room: query.get('room') ?? '' };
}

function address(change) {
  const { user, edge, room } = chosen();
  const query = new URLSearchParams({ user: user.id, edge: edge.region, ...(room && { room }), ...change });
  return `?${query}`;
}

function choose(change) {
  history.pushState(null, '', address(change));
  start();
}

/** The link to a second window: the next user, at the edge whose distance differs most. */
function showOther(user, edge) {
  const next = config.users[(config.users.indexOf(user) + 1) % config.users.length];
  const far = (e) => Math.abs(e.rtt_ms - edge.rtt_ms);
  const elsewhere = config.edges.filter((e) => e !== edge).sort((a, b) => far(b) - far(a))[0] ?? edge;
  $('other').href = address({ user: next.id, edge: elsewhere.region });
  $('other').textContent = `Open as ${next.name} in ${elsewhere.region}`;
}

function start() {
  session?.stop();
  const { user, edge, room } = chosen();
  $('user').value = user.id;
  $('edge').value = edge.region;
  document.title = `${user.name} at ${edge.region} · Selvedge demo`;
  showOther(user, edge);
  route.showPlaces({ core: config.core.region, edge: edge.region, you: user.name });
  route.showLink(edge.rtt_ms);
  route.showSocket(undefined);
  say('connecting', `Connecting to ${edge.region}…`);

  const client = connect({ edges: edge.url, token: () => fetchToken(user.id) });
  const chat = startChat({
    client, user, room,
    renamed(name) {
      [...$('user').options].find((option) => option.value === user.id).textContent = name;
      route.showPlaces({ core: config.core.region, edge: where, you: name });
    },
    opened(id) {
      history.replaceState(null, '', address({ room: id }));
      showOther(user, edge);
    },
    delivered: route.delivered,
    caughtUp: (n) => say('connected', `Resumed at ${where}: ${n} ${n === 1 ? 'message' : 'messages'} caught up`),
  });
  let where = edge.region;
  let before = false;
  const trips = [];
  client.on('state', (s) => {
    where = s.edge?.region ?? where;
    showState(s, where, edge, before);
    before ||= s.state === 'connected';
  });
  client.on('edge', () => trips.splice(0));
  client.on('error', (e) => console.warn(`${e.code}: ${e.message}`));
  const pinging = setInterval(() => chat.busy() || measure(client, trips), PING_MS);
  session = {
    stop() {
      clearInterval(pinging);
      chat.stop();
      client.close();
    },
  };
}

async function fetchToken(user) {
  const answer = await fetch(`/dev/token?${new URLSearchParams({ user })}`);
  if (!answer.ok) throw new Error(`no token for ${user}: status ${answer.status}`);
  return (await answer.json()).token;
}

/**
 * Shows the best of the last few round trips: the others measure how busy this
 * page is. Behind a publish, a ping would wait for the core.
 */
function measure(client, trips) {
  if (document.hidden || client.state.state !== 'connected') return;
  client.ping().then((ms) => {
    trips.push(ms);
    trips.splice(0, trips.length - TRIPS);
    route.showSocket(Math.min(...trips));
  }, () => route.showSocket(undefined));
}

function showState(s, where, edge, before) {
  route.showConnected(s.state === 'connected');
  if (s.state === 'connected') {
    const served = config.edges.find((e) => e.region === where) ?? edge;
    route.showPlaces({ core: config.core.region, edge: where, you: chosen().user.name });
    route.showLink(served.rtt_ms);
    const instead = where === edge.region ? '' : `, because ${edge.region} is away`;
    const how = s.resumed ? `Resumed at ${where}${instead}: nothing lost`
      : before ? `Started afresh at ${where}${instead}: history was read again` : `Connected to ${where}${instead}`;
    say('connected', how);
  } else if (s.state === 'closed') {
    say('closed', `Disconnected: ${s.reason}`);
  } else {
    const when = s.retryInMs > 1000 ? ` in ${duration(s.retryInMs)}` : ' now';
    const why = s.reason ? ` (${s.reason})` : '';
    say(s.state, `${s.state === 'connecting' ? `Can’t reach ${where} yet` : 'Connection lost'}${why}: try ${s.attempt}${when}`);
  }
}

function say(state, text) {
  $('state').dataset.state = state;
  $('state-text').textContent = text;
}

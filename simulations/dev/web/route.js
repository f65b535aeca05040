// The picture of the way: core, edge, you. It shows where the time goes.

import { $, duration } from './view.js';

const still = matchMedia('(prefers-reduced-motion: reduce)');
/** A shuttle under way; another message doesn't start a second. */
let flying = false;

export function showPlaces({ core, edge, you }) {
  $('core-place').textContent = core;
  $('edge-place').textContent = edge;
  $('you-place').textContent = you;
}

/** @param {number|undefined} ms round trip between core and edge */
export function showLink(ms) {
  $('link-rtt').textContent = ms === undefined ? '' : `${Math.round(ms)} ms rtt`;
}

/** @param {number|undefined} ms round trip between edge and this page */
export function showSocket(ms) {
  $('socket-rtt').textContent = ms === undefined ? '' : ms < 1 ? '< 1 ms rtt' : `${Math.round(ms)} ms rtt`;
}

export function showConnected(yes) {
  $('route').classList.toggle('cut', !yes);
}

/** A message came: how long it took, and a shuttle along the thread. */
export function delivered(ms) {
  $('last').textContent = duration(ms);
  if (flying || still.matches || document.hidden) return;
  flying = true;
  const [link, socket] = document.querySelectorAll('.thread');
  fly(link, Math.min(1200, Math.max(160, ms)))
    .then(() => fly(socket, 160))
    .finally(() => { flying = false; });
}

function fly(thread, ms) {
  const shuttle = document.createElement('i');
  shuttle.className = 'shuttle';
  thread.append(shuttle);
  return shuttle
    .animate([{ left: '0', opacity: 1 }, { left: '100%', opacity: 1 }], { duration: ms, easing: 'linear' })
    .finished.catch(() => {})
    .then(() => shuttle.remove());
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cursor } from './cursor.js';

const frame = (ch, seq, prev, more = {}) => ({ ch, p: 0, seq, prev, ...more });

function cursor(at = { 0: 100, 1: 200 }, behind = undefined) {
  const c = new Cursor();
  c.start({ epoch: 'e', at, v: 5, ...(behind && { behind }) });
  return c;
}

test('a live frame moves its log and no other', () => {
  const c = cursor();
  assert.equal(c.accept(frame('room:a', 101, 90)), 'new');
  assert.deepEqual(c.toJSON(), { epoch: 'e', at: { 0: 101, 1: 200 }, v: 5 });
});

test('what was received is not received again', () => {
  const c = cursor();
  c.accept(frame('room:a', 101, 90));
  assert.equal(c.accept(frame('room:a', 101, 90)), 'seen');
  assert.equal(c.accept(frame('room:b', 100, 3)), 'seen');
});

test('a frame whose predecessor never came is a hole and moves nothing', () => {
  const c = cursor();
  c.accept(frame('room:a', 101, 90));
  assert.equal(c.accept(frame('room:a', 110, 105)), 'hole');
  assert.equal(c.toJSON().at[0], 101);
});

test('a back frame whose predecessor never came is a hole, too', () => {
  const c = cursor();
  c.joined({ ch: 'room:b', p: 0, from: 80, v: 9 });
  assert.equal(c.accept(frame('room:b', 90, 85, { back: true })), 'hole');
});

test('a channel never heard has no hole', () => {
  const c = cursor();
  assert.equal(c.accept(frame('inbox:u1', 110, 105)), 'new');
});

test('an unknown log is not position zero', () => {
  const c = cursor();
  assert.equal(c.accept({ ch: 'room:a', p: 7, seq: 50, prev: 49 }), 'new');
  assert.equal(c.toJSON().at[7], 50);
});

test('a join behind the log keeps its own position until live, whatever the log does', () => {
  const c = cursor();
  c.joined({ ch: 'room:b', p: 0, from: 80, v: 9 });
  assert.deepEqual(c.toJSON(), { epoch: 'e', at: { 0: 100, 1: 200 }, behind: { 'room:b': 80 }, v: 9 });
  // Cut here: the resume must ask for everything after 80. Other channels don't wait.
  assert.equal(c.accept(frame('room:a', 120, 95)), 'new');
  c.moved({ at: { 0: 130 }, v: 9 });
  assert.equal(c.toJSON().behind['room:b'], 80);
  assert.equal(c.accept(frame('room:b', 85, 70, { back: true })), 'new');
  assert.equal(c.accept(frame('room:b', 85, 70, { back: true })), 'seen');
  assert.deepEqual(c.toJSON().behind, { 'room:b': 85 });
  c.live({ ch: 'room:b', seq: 125 });
  assert.equal(c.toJSON().behind, undefined, 'the log is further: nothing of its own is left');
  assert.equal(c.accept(frame('room:b', 131, 85)), 'new');
});

test('a channel caught up ahead of its log keeps its position until the log has passed it', () => {
  const c = cursor();
  c.joined({ ch: 'room:b', p: 0, from: 80, v: 9 });
  c.accept(frame('room:b', 115, 80, { back: true }));
  c.live({ ch: 'room:b', seq: 118 });
  assert.deepEqual(c.toJSON().behind, { 'room:b': 118 });
  assert.equal(c.accept(frame('room:b', 115, 80)), 'seen', 'log order reaches what came as a back frame');
  c.accept(frame('room:a', 117, 95));
  assert.deepEqual(c.toJSON().behind, { 'room:b': 118 });
  c.accept(frame('room:a', 118, 117));
  assert.equal(c.toJSON().behind, undefined);
});

test('a join ahead of what this reader knows is covered up to its from', () => {
  const c = cursor();
  c.joined({ ch: 'room:b', p: 0, from: 150, v: 9 });
  c.moved({ at: { 0: 160 }, v: 9 }); // before the back frames: covers all but the late one
  assert.equal(c.accept(frame('room:b', 155, 140, { back: true })), 'new');
});

test('an unmarked frame ends lateness without a live', () => {
  const c = cursor();
  c.joined({ ch: 'room:b', p: 0, from: 100, v: 9 });
  assert.equal(c.accept(frame('room:b', 101, 60)), 'new');
  assert.equal(c.toJSON().behind, undefined);
});

test('a join told again brings nothing twice', () => {
  const c = cursor();
  const join = { ch: 'room:b', p: 0, from: 80, v: 9 };
  c.joined(join);
  c.accept(frame('room:b', 90, 70, { back: true }));
  c.live({ ch: 'room:b', seq: 100 });
  c.resume();
  c.joined(join);
  assert.equal(c.accept(frame('room:b', 90, 70, { back: true })), 'seen');
});

test('leaving forgets the own position; a room joined again starts at its from', () => {
  const c = cursor();
  c.joined({ ch: 'room:b', p: 0, from: 80, v: 9 });
  c.left({ ch: 'room:b', v: 10 });
  assert.deepEqual(c.toJSON(), { epoch: 'e', at: { 0: 100, 1: 200 }, v: 10 });
  c.joined({ ch: 'room:b', p: 0, from: 95, v: 11 });
  assert.deepEqual(c.toJSON().behind, { 'room:b': 95 });
});

test('a room joined again from before what was delivered brings nothing twice', () => {
  const c = cursor();
  c.accept(frame('room:b', 105, 90)); // the edge had not learned yet that the user had left
  c.left({ ch: 'room:b', v: 10 });
  c.joined({ ch: 'room:b', p: 0, from: 103, v: 11 });
  assert.equal(c.accept(frame('room:b', 105, 90, { back: true })), 'seen');
  assert.equal(c.accept(frame('room:b', 106, 105, { back: true })), 'new');
});

test('after a resume, own positions hold against the log until live', () => {
  const c = cursor();
  c.joined({ ch: 'room:b', p: 0, from: 80, v: 9 });
  c.accept(frame('room:b', 115, 80, { back: true }));
  c.live({ ch: 'room:b', seq: 115 });
  c.resume();
  c.accept(frame('room:a', 140, 95));
  assert.equal(c.accept(frame('room:b', 120, 115, { back: true })), 'new', 'not swallowed by at = 140');
  c.live({ ch: 'room:b', seq: 140 });
  assert.equal(c.toJSON().behind, undefined);
});

test('a gap covers its channel and swallows nothing of another', () => {
  const c = cursor();
  c.gap({ ch: 'room:a', p: 0, from: 101, to: 150 });
  assert.equal(c.accept(frame('room:b', 120, 60)), 'new');
  assert.equal(c.accept(frame('room:a', 151, 150)), 'new');
  assert.equal(c.toJSON().behind, undefined);
});

test('a gap inside a late channel moves only that channel', () => {
  const c = cursor();
  c.joined({ ch: 'room:b', p: 0, from: 20, v: 9 });
  c.gap({ ch: 'room:b', p: 0, from: 21, to: 60 });
  assert.deepEqual(c.toJSON().behind, { 'room:b': 60 });
  assert.equal(c.accept(frame('room:b', 61, 60, { back: true })), 'new');
});

test('a topic is covered from where its subscription says', () => {
  const c = cursor();
  c.subscribed({ ch: 'topic:x', p: 0, from: 40 });
  assert.equal(c.accept(frame('topic:x', 41, 40, { back: true })), 'new');
  assert.equal(c.accept(frame('topic:x', 40, 30, { back: true })), 'seen');
  c.live({ ch: 'topic:x', seq: 100 });
  assert.equal(c.toJSON().behind, undefined);
});

test('quiet logs age no cursor, and never go back', () => {
  const c = cursor();
  c.moved({ at: { 0: 500, 1: 150 }, v: 4 });
  assert.deepEqual(c.toJSON(), { epoch: 'e', at: { 0: 500, 1: 200 }, v: 5 });
});

test('starting afresh keeps nothing', () => {
  const c = cursor();
  c.joined({ ch: 'room:b', p: 0, from: 80, v: 9 });
  c.start({ epoch: 'f', at: { 0: 3 }, v: 1 });
  assert.deepEqual(c.toJSON(), { epoch: 'f', at: { 0: 3 }, v: 1 });
});

test('a room that loses the focus waits for no live, but what it has stays had', () => {
  const c = cursor();
  c.joined({ ch: 'room:b', p: 0, from: 80, v: 9 });
  c.joined({ ch: 'room:c', p: 0, from: 90, v: 10 });
  c.accept(frame('room:b', 115, 80, { back: true }));
  c.focus([]);
  assert.deepEqual(c.toJSON().behind, { 'room:b': 115 }, 'ahead of its log');
  assert.equal(c.accept(frame('room:b', 115, 80)), 'seen');
  c.joined({ ch: 'room:d', p: 0, from: 60, v: 11 });
  c.moved({ at: { 0: 120 }, v: 11 });
  assert.equal(c.toJSON().behind, undefined);
  c.focus(['d'], { 'room:d': 60 });
  assert.deepEqual([c.focused, c.toJSON().behind], [['d'], { 'room:d': 60 }]);
  c.resume();
  c.accept(frame('room:d', 70, 60, { back: true }));
  c.live({ ch: 'room:d', seq: 120 });
  assert.equal(c.toJSON().behind, undefined);
});

test('a topic is no matter of focus', () => {
  const c = cursor();
  c.subscribed({ ch: 'topic:x', p: 0, from: 40 });
  c.focus([]);
  c.moved({ at: { 0: 120 }, v: 5 });
  assert.deepEqual(c.toJSON().behind, { 'topic:x': 40 });
});

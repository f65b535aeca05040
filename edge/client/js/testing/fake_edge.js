// A scripted edge in memory: tests play the server's part by hand.

/** A WebSocket class whose other end is in the test's hands, and the queue of those ends. */
export function fakeEdge() {
  const dials = [];
  const takers = [];

  class FakeWebSocket {
    readyState = 0;
    constructor(url, protocols) {
      this.url = url;
      this.protocols = protocols;
      const server = new ServerEnd(this);
      const taker = takers.shift();
      if (taker) taker(server);
      else dials.push(server);
    }
    send(text) {
      this.server.received(JSON.parse(text));
    }
    close(code) {
      this.readyState = 3;
      this.server.closedWith = code;
    }
  }

  /** The next dial of the client. @returns {Promise<ServerEnd>} */
  const dial = () => (dials.length > 0 ? Promise.resolve(dials.shift()) : new Promise((take) => takers.push(take)));
  return { WebSocket: FakeWebSocket, dial, get waiting() { return dials.length; } };
}

class ServerEnd {
  #ws;
  #messages = [];
  #takers = [];
  constructor(ws) {
    this.#ws = ws;
    ws.server = this;
  }
  get url() {
    return this.#ws.url;
  }
  /** Accepts the dial. @returns {Promise<any>} the hello */
  accept() {
    this.#ws.readyState = 1;
    this.#ws.onopen();
    return this.next();
  }
  /** Accepts and welcomes. @returns {Promise<any>} the hello */
  async welcome(fields = {}) {
    const hello = await this.accept();
    this.send(welcome({ resumed: hello.resume !== undefined, ...fields }));
    return hello;
  }
  send(m) {
    this.#ws.onmessage({ data: JSON.stringify(m) });
  }
  close(code, reason = '') {
    this.#ws.readyState = 3;
    this.#ws.onclose({ code, reason });
  }
  received(m) {
    const taker = this.#takers.shift();
    if (taker) taker(m);
    else this.#messages.push(m);
  }
  /** The client's next message. */
  next() {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    return new Promise((take) => this.#takers.push(take));
  }
  get unread() {
    return this.#messages.length;
  }
}

export function welcome(fields) {
  return {
    t: 'welcome',
    session: 's1',
    user: { id: 'u1', v: 1, data: { name: 'Ada' } },
    rooms: [],
    rooms_v: 5,
    cursor: { epoch: 'e1', at: { 0: 100, 1: 200 }, v: 5 },
    edge: { id: 'edge-1', region: 'us-east' },
    ping: 25,
    resumed: false,
    ...fields,
  };
}

export function message(seq, fields = {}) {
  return { t: 'message', ch: 'room:a', p: 0, seq, prev: seq - 1, ts: 0, data: { text: `m${seq}` }, ...fields };
}

// What the journal told so far about one platform. Everything on the page is drawn from this.

let count = 0; // entries ever taken: each keeps its number for life

export class Story {
  constructor() {
    this.clear();
  }

  clear() {
    this.lines = []; // what stands in the chats: said and shown, in order
    this.wire = []; // what went over HTTP: webhooks and calls, in order of their beginning
    this.deliveries = new Map(); // message id → its latest webhook
    this.names = new Map(); // user → the name they wrote under
    this.signs = new Map(); // message id → set of read, typing, sent, delivered
    this.typingSince = new Map(); // user → seconds
  }

  take(entry) {
    entry.number = count += 1;
    if (entry.kind === 'said') {
      this.lines.push(entry);
      this.names.set(entry.user, entry.name);
    } else if (entry.kind === 'shown') {
      this.lines.push(entry);
      this.typingSince.delete(entry.to);
    } else if (entry.kind === 'sign') this.#sign(entry);
    else this.#exchange(entry);
  }

  #sign(entry) {
    if (!this.signs.has(entry.message_id)) this.signs.set(entry.message_id, new Set());
    this.signs.get(entry.message_id).add(entry.what);
    if (entry.what === 'typing') this.typingSince.set(entry.user, entry.at);
  }

  #exchange(entry) {
    if (entry.kind === 'webhook' && entry.what === 'message') this.deliveries.set(entry.message_id, entry);
    let index = this.wire.length;
    while (index > 0 && this.wire[index - 1].at > entry.at) index -= 1;
    this.wire.splice(index, 0, entry);
    if (this.wire.length > 300) this.wire.shift();
  }

  /** The chat of one customer, or of the group that they are in. */
  chat(customer) {
    const there = customer.place || '';
    return this.lines.filter((line) =>
      line.kind === 'said' ? line.place === there && (there || line.user === customer.user) : line.to === (there || customer.user));
  }

  /** sending, failed, delivered or read: how far the customer's own message got. */
  progress(line) {
    if (this.signs.get(line.message_id)?.has('read')) return 'read';
    const delivery = this.deliveries.get(line.message_id);
    if (!delivery) return 'sending';
    return delivery.status === 200 ? 'delivered' : 'failed';
  }

  lastSaid(customer) {
    return this.chat(customer).filter((line) => line.kind === 'said').at(-1);
  }

  /** The figures of the customer's last message: ack in ms, reply after ms, calls since. */
  figures(customer) {
    const said = this.lastSaid(customer);
    if (!said) return {};
    const reply = this.chat(customer).find((line) => line.kind === 'shown' && line.at >= said.at);
    const delivery = this.deliveries.get(said.message_id);
    return {
      ack: delivery?.status === 200 ? delivery.ms : undefined,
      reply: reply ? (reply.at - said.at) * 1000 : undefined,
      calls: this.wire.filter((entry) => entry.kind === 'call' && entry.at >= said.at).length,
    };
  }
}

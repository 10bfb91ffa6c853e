// What the journal told so far about one platform. Everything on the page is drawn from this.

const FOLDED = new Set(['poll', 'status', 'card_stream', 'aibot_respond_msg']); // many of the same, one behind the other
const NOT_A_MESSAGE = new Set(['status', 'poll', 'check', 'card']);
let count = 0; // entries ever taken: each keeps its number for life

export class Story {
  constructor() {
    this.clear();
  }

  clear() {
    this.lines = []; // what stands in the chats: said, shown and grown, in order
    this.wire = []; // webhooks, calls and breaches, in order of their beginning
    this.breaches = 0;
    this.deliveries = new Map(); // message id → its latest webhook
    this.names = new Map(); // user → the name they wrote under
    this.signs = new Map(); // message id → set of read, typing, sent, delivered, failed
    this.typingSince = new Map(); // user or group → seconds
    this.reactions = new Map(); // message id → emoji
    this.edits = new Map(); // message id → the new words
    this.gone = new Set(); // ids of deleted messages
    this.taps = new Map(); // message id → the choice that was tapped
    this.styles = new Map(); // message id → the kind of what a customer said or did
  }

  take(entry) {
    entry.number = count += 1;
    if (entry.kind === 'said') this.#said(entry);
    else if (entry.kind === 'shown' || entry.kind === 'grown') this.#shown(entry);
    else if (entry.kind === 'sign') this.#sign(entry);
    else this.#exchange(entry);
  }

  #said(entry) {
    this.lines.push(entry);
    if (entry.message_id) this.styles.set(entry.message_id, entry.style);
    if (entry.name !== entry.user) this.names.set(entry.user, entry.name);
    const target = entry.fields.message_id;
    if (entry.style === 'reaction') this.reactions.set(target, entry.fields.emoji);
    if (entry.style === 'edit') this.edits.set(target, entry.fields.text);
    if (entry.style === 'revoke' || entry.style === 'recall') this.gone.add(target);
    if (entry.style === 'tap') this.taps.set(target, entry.fields.choice);
  }

  /** What grows, and what is shown again under the same id, takes the place of what was there. */
  #shown(entry) {
    this.typingSince.delete(entry.to);
    const same = (line) => line.kind !== 'said' && line.message_id === entry.message_id && line.to === entry.to && !line.media;
    const index = entry.message_id ? this.lines.findLastIndex(same) : -1;
    if (index < 0) {
      this.lines.push(entry);
      return;
    }
    const before = this.lines[index];
    if (entry.kind === 'grown' && entry.finished && before.kind === 'shown') return; // its shown entry follows
    this.lines[index] = { ...entry, number: before.number, at: before.at };
  }

  #sign(entry) {
    if (!this.signs.has(entry.message_id)) this.signs.set(entry.message_id, new Set());
    if (entry.what.startsWith('reaction ')) this.reactions.set(entry.message_id, entry.what.slice(9));
    else this.signs.get(entry.message_id).add(entry.what);
    if (entry.what === 'typing') this.typingSince.set(entry.user, entry.at);
  }

  #exchange(entry) {
    if (entry.kind === 'breach') this.#breach(entry);
    if (entry.kind === 'webhook' && entry.message_id && !NOT_A_MESSAGE.has(entry.what)) this.deliveries.set(entry.message_id, entry);
    let index = this.wire.length;
    while (index > 0 && this.wire[index - 1].at > entry.at) index -= 1;
    this.wire.splice(index, 0, entry);
    if (this.wire.length > 400) this.wire.shift();
  }

  #breach(entry) {
    this.breaches += 1;
    const call = this.wire.slice(-12).findLast((one) => one.kind === 'call' && one.reason && one.reason === entry.detail && !one.rule);
    if (call) call.rule = entry.rule;
  }

  /** The wire's entries; those that come in crowds as one, with all of them in `crowd`. */
  exchanges() {
    const rows = [];
    for (const entry of this.wire) {
      const sort = entry.what ?? entry.endpoint;
      const last = rows.at(-1);
      const calm = FOLDED.has(sort) && !entry.reason && entry.status >= 200 && entry.status < 300;
      if (calm && last?.calm && last.sort === sort) last.crowd.push(entry);
      else rows.push({ sort, calm, crowd: [entry] });
    }
    return rows.map(({ crowd }) => crowd);
  }

  /** The chat of one customer, or of the group that they are in. */
  chat(customer) {
    const there = customer.place || '';
    return this.lines.filter((line) =>
      line.kind === 'said' ? line.place === there && (there || line.user === customer.user) : line.to === (there || customer.user));
  }

  /** sending, failed, refused, delivered or read: how far the customer's own message got. */
  progress(line) {
    if (this.signs.get(line.message_id)?.has('read')) return 'read';
    const delivery = this.deliveries.get(line.message_id);
    if (!delivery) return line.message_id ? 'sending' : 'delivered';
    if (delivery.status >= 200 && delivery.status < 300) return 'delivered';
    return delivery.what === 'mischief' && delivery.status ? 'refused' : 'failed';
  }

  /** Whatever of a line may change, as one word. */
  version(line) {
    const id = line.message_id;
    const told = [line.kind, line.text.length, line.finished, this.reactions.get(id), this.edits.get(id), this.gone.has(id), this.taps.get(id), this.signs.get(id)?.has('failed')];
    return [...told, line.choices?.length, line.kind === 'said' ? this.progress(line) : '', this.deliveries.get(id)?.attempt].join(' ');
  }

  lastSaid(customer) {
    return this.chat(customer).filter((line) => line.kind === 'said' && line.message_id).at(-1);
  }

  /** The figures of the customer's last message: ack in ms, first words after ms, calls since. */
  figures(customer) {
    const said = this.lastSaid(customer);
    if (!said) return {};
    const reply = this.chat(customer).find((line) => line.kind !== 'said' && line.at >= said.at && (line.text || line.media));
    const delivery = this.deliveries.get(said.message_id);
    return {
      ack: delivery?.status >= 200 && delivery.status < 300 ? delivery.ms : undefined,
      reply: reply ? (reply.at - said.at) * 1000 : undefined,
      calls: this.wire.filter((entry) => entry.kind === 'call' && entry.at >= said.at).length,
    };
  }
}

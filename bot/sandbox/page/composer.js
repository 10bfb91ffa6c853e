// What the customer does: write, send something else, tap, choose from a list.

import { find, make, press } from './dom.js';
import { DEEDS, icon, KIND_ICONS } from './icons.js';
import { say, tell } from './remote.js';
import { known, text } from './texts.js';

const NEVER_IN_GROUPS = { dingtalk: new Set(['audio', 'file', 'video', 'picture']) };
const WORDS = ['text', 'caption']; // a kind's field for what was typed

export class Composer {
  /** *scene* as in chat.js, always the present one. */
  constructor(scene) {
    this.scene = scene;
    const draft = find('draft');
    find('send').append(icon('send', 20));
    find('attach').append(icon('plus', 24));
    find('attach').addEventListener('click', () => this.toggle());
    find('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      const words = this.takeDraft();
      if (words) this.say(words);
    });
    draft.addEventListener('input', () => this.#grow());
    draft.addEventListener('focus', () => this.toggle(false));
    draft.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        find('composer').requestSubmit();
      }
    });
    find('menu').addEventListener('keydown', (event) => { if (event.key === 'Escape') this.toggle(false, true); });
    find('sheet').addEventListener('keydown', (event) => { if (event.key === 'Escape') this.closeList(); });
  }

  takeDraft() {
    const draft = find('draft');
    const words = draft.value.trim();
    draft.value = '';
    this.#grow();
    return words;
  }

  #grow() {
    const draft = find('draft');
    draft.rows = Math.min(5, draft.value.split('\n').length);
    document.body.classList.toggle('drafting', Boolean(draft.value.trim()));
  }

  #who() {
    const { customer } = this.scene();
    return { user: customer.user, name: customer.name, ...(customer.place ? { group: customer.place } : {}) };
  }

  /** POSTs what the customer does; tells what went wrong. */
  async act(action, body) {
    find('messages').scrollTop = find('messages').scrollHeight;
    try {
      return tell(await this.scene().remote.post(action, body));
    } catch (error) {
      say(error instanceof TypeError ? text('disconnected') : error.message);
      return null;
    }
  }

  say(words) {
    return this.act('say', { text: words, ...this.#who() });
  }

  tap(line, choice) {
    const typed = /^dtmd:\/\/dingtalkclient\/sendMessage\?content=(.*)$/u.exec(choice.id);
    if (typed) return this.say(decodeURIComponent(typed[1]));
    return this.act('tap', { message_id: line.message_id, choice: choice.id, user: this.scene().customer.user });
  }

  async write(kind, more = {}) {
    const { platform, customer, story } = this.scene();
    const example = platform.kinds[kind];
    const body = { kind, user: customer.user, ...more };
    if (customer.place) body.group = customer.place;
    if (['whatsapp', 'dingtalk'].includes(platform.name)) body.name = customer.name;
    const field = WORDS.find((name) => name in example);
    const words = field ? this.takeDraft() : '';
    if (words) body[field] = words;
    if ('message_id' in example) {
      const lines = story.chat(customer);
      const target = kind === 'reaction' ? lines.findLast((line) => line.kind !== 'said' && line.message_id) : lines.findLast((line) => line.kind === 'said' && line.message_id && !DEEDS.has(line.style) && !story.gone.has(line.message_id));
      if (!target) return say(text('nothingYet'));
      body.message_id = target.message_id;
    }
    return this.act('write', body);
  }

  /** The menu behind the plus. */
  toggle(open = find('menu').hidden, refocus = false) {
    find('menu').hidden = !open;
    find('attach').setAttribute('aria-expanded', String(open));
    if (open) {
      this.drawMenu();
      find('messages').scrollTop = find('messages').scrollHeight;
    }
    if (open) find('menu').querySelector('button:not([disabled])')?.focus();
    if (refocus) find('attach').focus();
  }

  drawMenu() {
    const kinds = Object.keys(this.scene().platform.kinds);
    find('attach').hidden = !kinds.length;
    const part = (title, some) => (some.length ? [make('h3', text(title)), make('div.menu-grid', some.map((kind) => this.#item(kind)))] : []);
    find('menu').replaceChildren(
      ...part('attachSend', kinds.filter((kind) => !DEEDS.has(kind))), ...part('attachDo', kinds.filter((kind) => DEEDS.has(kind))), make('p.menu-note', text('attachDraft')),
    );
  }

  #item(kind) {
    const { platform, customer } = this.scene();
    const label = known(`kind_${kind}`) ? text(`kind_${kind}`) : kind;
    const item = press('.menu-item', [make(`span.menu-icon.kind-${kind}`, [icon(KIND_ICONS[kind] ?? 'question', 24)]), make('span', label)], () => { this.toggle(false, true); this.write(kind); }, { 'data-kind': kind });
    if (customer.place && NEVER_IN_GROUPS[platform.name]?.has(kind)) {
      item.disabled = true;
      item.title = text('attachGroup');
    }
    return item;
  }

  drawChips() {
    find('chips').replaceChildren(...text('chips').map((question) => press('.chip', question, () => this.say(question))));
  }

  /** WhatsApp's list: a sheet from below with its rows. */
  openList(line) {
    const sheet = find('sheet');
    const rows = line.choices.map((choice) => press('.sheet-row', [make('span.sheet-words', [make('b', choice.title), ...(choice.description ? [make('small', choice.description)] : [])]), make('i.radio')], () => { this.closeList(); this.tap(line, choice); }));
    const close = press('.sheet-close', [icon('cross', 18)], () => this.closeList(), { 'aria-label': text('close') });
    sheet.replaceChildren(make('div.sheet-head', [close, make('b', line.raw?.interactive?.action?.button ?? text('options'))]), ...rows);
    sheet.hidden = false;
    this.opener = document.activeElement;
    rows[0].focus();
  }

  closeList() {
    find('sheet').hidden = true;
    this.opener?.focus();
  }
}

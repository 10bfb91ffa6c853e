// The control interface of the platform that is played, and its clock.

import { find } from './dom.js';
import { text } from './texts.js';

export class Remote {
  /** *changed* is told the platform's state whenever a call brings it. */
  constructor(changed) {
    this.changed = changed;
    this.name = ''; // where it lies: the channel's name
    this.ahead = 0; // seconds that the platform's clock is ahead of ours
  }

  use(state) {
    this.name = state.path;
    this.#takeState(state);
  }

  /** POSTs *body* to *action*; raises Error with the control interface's own words. */
  async post(action, body = {}) {
    const name = this.name;
    const answer = await fetch(`_sim/${name}/${action}`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
    });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.error ?? `HTTP ${answer.status}`);
    if (told.settings && name === this.name) this.#takeState(told);
    return told;
  }

  async refresh() {
    const name = this.name;
    const answer = await fetch(`_sim/${name}/state`);
    if (answer.ok && name === this.name) this.#takeState(await answer.json());
  }

  media(id) {
    return `_sim/${this.name}/media?id=${encodeURIComponent(id)}`;
  }

  /** Now, by the platform's clock, in Unix seconds. */
  now() {
    return Date.now() / 1000 + this.ahead;
  }

  #takeState(state) {
    this.ahead = state.now - Date.now() / 1000;
    if (Math.abs(this.ahead) < 5) this.ahead = 0;
    this.changed(state);
  }
}

let hiding = 0;

/** Says a few words at the foot of the chat, for a moment. */
export function say(words) {
  const toast = find('toast');
  toast.textContent = words;
  toast.hidden = !words;
  clearTimeout(hiding);
  hiding = setTimeout(() => { toast.hidden = true; }, 4200);
}

/** What became of a delivery, where that is worth telling. */
export function tell(delivery) {
  if (delivery.error && delivery.error !== 'timeout') say(text(delivery.error));
  return delivery;
}

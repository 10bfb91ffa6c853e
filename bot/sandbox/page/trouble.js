// What makes it hard for the bot, and the platform's switches: both folded above the wire.

import { clockTime, find, make, press } from './dom.js';
import { say, tell } from './remote.js';
import { known, text } from './texts.js';

const MISCHIEF = ['duplicate', 'late', 'held', 'dropped', 'forged', 'broken', 'oversized'];
const JUMPS = { 'wecom-kf': [600, 3600, 176400] };
const ACTS = { whatsapp: ['echo'], 'wecom-kf': ['take_over', 'end_session'], 'wecom-aibot': ['socket.cut'], dingtalk: ['gateway.cut'] };
const UNVERIFIED = new Set(['telegram']);
const DAY = 86400;

export class Trouble {
  /** *scene* as in chat.js. */
  constructor(scene) {
    this.scene = scene;
    this.drawn = '';
    for (const name of ['trouble', 'switches']) {
      find(name).addEventListener('toggle', () => { if (find(name).open) for (const other of ['trouble', 'switches']) if (other !== name) find(other).open = false; });
    }
  }

  /** Draws both anew where what they show has changed. */
  draw(language) {
    const { platform } = this.scene();
    const waiting = [...Object.values(platform.faults), ...platform.mischief.map(() => 1)].reduce((sum, one) => sum + one, 0);
    find('waiting').textContent = waiting ? text('armed', waiting) : '';
    find('waiting').hidden = !waiting;
    this.tellTime();
    const shown = JSON.stringify([language, platform.name, platform.settings]);
    if (shown === this.drawn) return;
    this.drawn = shown;
    this.#drawTrouble(platform);
    this.#drawSwitches(platform);
  }

  #drawTrouble(platform) {
    const faults = platform.presets.map((name) => this.#pill(name, () => this.#arm('faults', { preset: name })));
    if (platform.name !== 'telegram' && platform.name !== 'whatsapp') faults.push(this.#pill('token', () => this.#arm('tokens')));
    find('trouble-body').replaceChildren(
      make('h3', text('troubleFaults')), make('div.pills', faults),
      make('h3', text('troubleWebhooks')), make('div.pills', MISCHIEF.map((kind) => this.#pill(`mischief_${kind}`, () => this.#arm('mischief', { kind })))),
      make('h3', text('troubleLast')), make('div.pills', [this.#pill('redeliver', () => this.#redeliver()), ...this.#acts(platform.name)]),
    );
  }

  /** What colleagues and connections do. */
  #acts(name) {
    const user = () => ({ user: this.scene().customer.user });
    const bodies = { take_over: user, end_session: user, echo: () => ({ ...user(), text: text('echoWords') }) };
    return (ACTS[name] ?? []).map((what) => this.#pill(what.replace('.', '_'), async () => { if (await this.#do('act', { what, ...bodies[what]?.() })) say(text('done')); }));
  }

  #pill(name, act) {
    const button = press('.pill', known(name) ? text(name) : name, act, { 'data-trouble': name });
    if (known(`${name}Note`)) button.title = text(`${name}Note`);
    return button;
  }

  async #do(action, body) {
    try {
      return await this.scene().remote.post(action, body);
    } catch (error) {
      say(error instanceof TypeError ? text('disconnected') : error.message);
      return null;
    }
  }

  async #arm(action, body) {
    if (await this.#do(action, body)) say(action === 'tokens' ? text('done') : text('armedOnce'));
  }

  async #redeliver() {
    const { story, customer } = this.scene();
    const last = story.lastSaid(customer);
    if (!last) return say(text('nothingYet'));
    const delivery = await this.#do('redeliver', { message_id: last.message_id });
    return delivery && !tell(delivery).error && say(`${text('done')} · HTTP ${delivery.status}`);
  }

  #drawSwitches(platform) {
    const { webhook_url: address, ...settings } = platform.settings;
    const entries = Object.entries(settings);
    const toggles = entries.filter(([, value]) => typeof value === 'boolean').map(([name, value]) => this.#toggle(name, value));
    const numbers = entries.filter(([, value]) => typeof value === 'number').map(([name, value]) => this.#number(name, value));
    const acts = [press('.pill', text('tokensGone'), () => this.#arm('tokens'))];
    if (platform.name === 'dingtalk') acts.push(press('.pill', text('sessionsGone'), async () => { if (await this.#do('sessions')) say(text('done')); }));
    if (!UNVERIFIED.has(platform.name)) acts.push(press('.pill', text('verify'), () => this.#verify()));
    find('switches-body').replaceChildren(
      make('div.clock', [make('h3', text('clock')), make('output', '', { id: 'platform-clock' }), make('div.pills', this.#jumps(platform.name)), make('p.note', text('clockNote'))]),
      make('div.toggles', toggles), make('div.numbers', numbers), make('div.pills', acts),
      make('p.note', [`${text('address')} `, make('code', address)]),
    );
    this.tellTime();
  }

  #jumps(name) {
    const by = (JUMPS[name] ?? [600, 3600, 90000]).map((seconds) => press('.pill', text(`ahead${seconds}`), () => this.#do('clock', { advance: seconds })));
    return [...by, press('.pill', text('backToNow'), () => this.#do('clock', { advance: -this.scene().remote.ahead }))];
  }

  #toggle(name, value) {
    const box = make('input', [], { type: 'checkbox', role: 'switch', 'data-setting': name });
    box.checked = value;
    box.addEventListener('change', async () => { if (!await this.#do('settings', { [name]: box.checked })) box.checked = !box.checked; });
    return make('label.toggle', [make('span', known(`set_${name}`) ? text(`set_${name}`) : name), box]);
  }

  #number(name, value) {
    const field = make('input', [], { type: 'number', min: name === 'speed' ? 1 : 0, step: 1, value, 'data-setting': name });
    field.addEventListener('change', () => this.#do('settings', { [name]: Number(field.value) }));
    return make('label.toggle', [make('span', known(`set_${name}`) ? text(`set_${name}`) : name), field]);
  }

  async #verify() {
    const delivery = await this.#do('verify');
    if (!delivery) return;
    const good = delivery.status === 200 && !delivery.error;
    say(good ? text('verifyGood') : text('verifyBad', delivery.error || `HTTP ${delivery.status}`));
  }

  tellTime() {
    const { remote } = this.scene();
    find('clock').textContent = clockTime(remote.now());
    const output = find('platform-clock');
    if (!output) return;
    const ahead = Math.round(remote.ahead / 60);
    const days = Math.floor(ahead / 60 / 24);
    const words = `${days ? `${days} d ` : ''}${Math.floor(ahead / 60) % 24} h ${ahead % 60} min`;
    output.textContent = `${new Date(remote.now() * 1000).toLocaleString(document.documentElement.lang, { weekday: 'short', hour: '2-digit', minute: '2-digit' })} · ${ahead ? text('clockAhead', words) : text('clockNow')}`;
    find('ahead').textContent = ahead ? `+${remote.ahead >= DAY ? `${days} d ` : ''}${Math.floor(ahead / 60) % 24} h` : '';
  }
}

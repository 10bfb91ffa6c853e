// Wires the page together: what was chosen, the live events of that platform, and who draws what.

import { drawChat, face, isTyping } from './chat.js';
import { Composer } from './composer.js';
import { find, make, press, roving } from './dom.js';
import { Remote } from './remote.js';
import { Story } from './story.js';
import { chooseLanguage, currentLanguage, platformText, text } from './texts.js';
import { Trouble } from './trouble.js';
import { drawFigures, drawWire } from './wire.js';

const NAMES = { whatsapp: 'WhatsApp', wecom: 'WeCom 企业微信', 'wecom-aibot': 'WeCom 智能机器人', 'wecom-kf': 'WeChat 微信客服', dingtalk: 'DingTalk 钉钉', feishu: 'Feishu 飞书', telegram: 'Telegram' };
const KINDS = ['said', 'shown', 'grown', 'sign', 'breach', 'webhook', 'call'];

const story = new Story();
const remote = new Remote(stateChanged);
let platforms = [];
let platform = null;
let customer = null;
let events = null;
let drawing = false;
let refreshing = 0;

const scene = () => ({
  platform, customer, story, remote,
  tap: (line, choice) => composer.tap(line, choice), openList: (line) => composer.openList(line), rate: (type) => composer.write('feedback', { type }),
});
const composer = new Composer(scene);
const trouble = new Trouble(scene);

const remember = (name, value) => { try { localStorage.setItem(`sandbox-${name}`, value); } catch { /* private mode */ } };
const recall = (name) => { try { return localStorage.getItem(`sandbox-${name}`); } catch { return null; } };

function draw() {
  if (drawing || !platform) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawChat(scene());
    drawWire(story);
    drawFigures(story.figures(customer), story.breaches);
  });
}

function stateChanged(state) {
  if (!platform || state.name !== platform.name) return;
  Object.assign(platform, state);
  trouble.draw(currentLanguage());
}

/** What waited may have happened: asks how the platform stands, soon. */
function refreshSoon() {
  if (refreshing || !(platform.mischief.length || Object.keys(platform.faults).length)) return;
  refreshing = setTimeout(() => { refreshing = 0; remote.refresh().catch(() => {}); }, 300);
}

function listen() {
  events?.close();
  story.clear();
  events = new EventSource(`_sim/${platform.path}/events`);
  events.addEventListener('reset', () => { story.clear(); draw(); });
  for (const kind of KINDS) {
    events.addEventListener(kind, (event) => {
      story.take(JSON.parse(event.data));
      if (kind === 'call' || kind === 'webhook') refreshSoon();
      draw();
    });
  }
  let away = 0;
  events.onopen = () => { clearTimeout(away); away = 0; banner(''); };
  events.onerror = () => { away ||= setTimeout(() => banner(text('disconnected')), 1500); };
}

function banner(words) {
  find('banner').textContent = words;
  find('banner').hidden = !words;
}

function choosePlatform(name) {
  platform = platforms.find((candidate) => candidate.path === name) ?? platforms[0];
  document.body.dataset.platform = platform.name;
  remember('platform', platform.path);
  history.replaceState(null, '', `#${platform.path}`);
  customer = platform.customers[0];
  find('messages').replaceChildren();
  remote.use(platform);
  drawChoices();
  listen();
  draw();
}

function chooseCustomer(chosen) {
  customer = chosen;
  find('messages').replaceChildren();
  drawChoices();
  draw();
}

function drawChoices() {
  const option = (kind, chosen, parts, act) => press(`.${kind}`, parts, act, { role: 'radio', 'aria-checked': String(chosen) });
  const focused = ['platforms', 'customers'].find((id) => find(id).contains(document.activeElement));
  find('platforms').replaceChildren(...platforms.map((one) => option('platform', one === platform, [
    make(`span.mark.${one.name}`, '', { 'aria-hidden': 'true' }), make('span.who', [make('b', NAMES[one.name] ?? one.name), make('small', one.path === one.name ? platformText('about', one.name) : one.path)]),
  ], () => choosePlatform(one.path))));
  find('customers').replaceChildren(...platform.customers.map((one) => option('customer', one === customer, [
    face('person', one.name), make('span.who', [make('b', one.name), make('small', `${text(`hint_${one.hint}`)}${phone(one)}`)]),
  ], () => chooseCustomer(one))));
  for (const group of ['platforms', 'customers']) roving(find(group), 'aria-checked');
  if (focused) find(focused).querySelector('[aria-checked="true"]').focus();
  composer.toggle(false);
  composer.drawMenu();
  composer.drawChips();
  find('sheet').hidden = true;
  trouble.draw(currentLanguage());
}

const phone = ({ hint, user }) => (['phone', 'two_forms'].includes(hint) ? ` · +${user}` : '');

function speak(language) {
  chooseLanguage(language);
  remember('language', currentLanguage());
  const other = currentLanguage() === 'zh' ? 'en' : 'zh';
  find('language').textContent = other === 'zh' ? '中文' : 'English';
  find('language').onclick = () => speak(other);
  find('draft').placeholder = text('placeholder');
  if (platform) {
    drawChoices();
    draw();
  }
}

function showPane(name) {
  document.body.dataset.pane = name;
  for (const tab of document.querySelectorAll('[data-pane-of]')) tab.setAttribute('aria-selected', String(tab.dataset.paneOf === name));
  roving(find('panes'), 'aria-selected');
  for (const id of ['messages', 'entries']) find(id).scrollTop = find(id).scrollHeight;
}

async function begin() {
  try {
    const answer = await fetch('_sim/');
    if (!answer.ok) throw new Error(String(answer.status));
    platforms = await answer.json();
  } catch {
    banner(text('disconnected'));
    setTimeout(begin, 1000);
    return;
  }
  banner('');
  choosePlatform(location.hash.slice(1) || recall('platform') || 'whatsapp');
}

speak(recall('language') ?? (navigator.languages.some((tag) => tag.startsWith('zh')) && !navigator.language.startsWith('en') ? 'zh' : 'en'));
showPane('chat');
for (const tab of document.querySelectorAll('[data-pane-of]')) tab.addEventListener('click', () => showPane(tab.dataset.paneOf));
addEventListener('hashchange', () => { if (platform) choosePlatform(location.hash.slice(1)); });
find('clear').addEventListener('click', () => remote.post('clear').catch(() => banner(text('disconnected'))));
setInterval(() => {
  if (!platform) return;
  trouble.tellTime();
  if (story.typingSince.size && !isTyping(scene())) draw();
}, 1000);
begin();

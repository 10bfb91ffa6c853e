// Wires the page together: what was chosen, the live events of that platform, and what the buttons do.

import { drawChat, isTyping } from './chat.js';
import { find, icon, make } from './dom.js';
import { Story } from './story.js';
import { chooseLanguage, currentLanguage, text } from './texts.js';
import { drawFigures, drawWire } from './wire.js';

const NAMES = { whatsapp: 'WhatsApp', wecom: 'WeCom 企业微信', dingtalk: 'DingTalk 钉钉', feishu: 'Feishu 飞书', telegram: 'Telegram' };
const KINDS = ['said', 'shown', 'sign', 'webhook', 'call'];
const TROUBLES = { whatsapp: ['redeliver', 'lost', 'busy', 'rate', 'slow'], wecom: ['redeliver', 'lost', 'busy', 'token', 'slow'], dingtalk: ['redeliver', 'lost', 'rate', 'session', 'slow'], feishu: ['redeliver', 'lost', 'busy', 'rate', 'token'], telegram: ['redeliver', 'lost', 'busy', 'rate', 'slow'] };

const story = new Story();
let platforms = [];
let platform = null;
let customer = null;
let events = null;
let drawing = false;

const remember = (name, value) => { try { localStorage.setItem(`sandbox-${name}`, value); } catch { /* private mode */ } };
const recall = (name) => { try { return localStorage.getItem(`sandbox-${name}`); } catch { return null; } };

async function control(action, body) {
  const answer = await fetch(`_sim/${platform.name}/${action}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}),
  });
  if (!answer.ok) throw new Error(`${action}: ${answer.status}`);
  return answer.json();
}

function draw() {
  if (drawing || !platform) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawChat(platform.name, customer, story);
    drawWire(platform.name, story);
    drawFigures(story.figures(customer));
  });
}

function listen() {
  events?.close();
  story.clear();
  events = new EventSource(`_sim/${platform.name}/events`);
  events.addEventListener('reset', () => { story.clear(); draw(); });
  for (const kind of KINDS) {
    events.addEventListener(kind, (event) => { story.take(JSON.parse(event.data)); draw(); });
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
  platform = platforms.find((candidate) => candidate.name === name) ?? platforms[0];
  document.body.dataset.platform = platform.name;
  remember('platform', platform.name);
  customer = platform.customers[0];
  find('messages').scrollTop = 0;
  drawChoices();
  listen();
  draw();
}

function chooseCustomer(chosen) {
  customer = chosen;
  drawChoices();
  draw();
}

function choice(kind, chosen, parts, act) {
  const button = make(`button.${kind}`, parts, { type: 'button', role: 'radio', 'aria-checked': String(chosen) });
  button.addEventListener('click', act);
  return button;
}

function drawChoices() {
  find('platforms').replaceChildren(...platforms.map((one) => choice('platform', one === platform,
    [make(`span.mark.${one.name}`, '', { 'aria-hidden': 'true' }), make('span.name', NAMES[one.name] ?? one.name)], () => choosePlatform(one.name))));
  find('customers').replaceChildren(...platform.customers.map((one) => choice('customer', one === customer,
    [make('span.avatar.person', initial(one.name), { 'aria-hidden': 'true' }), make('span.who', [make('b', one.name), make('small', text(`hint_${one.hint}`))])], () => chooseCustomer(one))));
  find('trouble').replaceChildren(...TROUBLES[platform.name].map(troubleButton));
  find('chips').replaceChildren(...text('chips').map((question) => {
    const chip = make('button.chip', question, { type: 'button' });
    chip.addEventListener('click', () => say(question));
    return chip;
  }));
}

const initial = (name) => [...name].at(name.charCodeAt(0) > 255 ? -1 : 0) ?? '';

function troubleButton(name) {
  const button = make('button', [make('b', text(name)), make('small', text(`${name}Note`))], { type: 'button' });
  button.addEventListener('click', async () => {
    const note = button.querySelector('small');
    note.textContent = await makeTrouble(name).catch((error) => error.message);
    setTimeout(() => { note.textContent = text(`${name}Note`); }, 1800);
  });
  return button;
}

async function makeTrouble(name) {
  if (name === 'redeliver') {
    const last = story.lastSaid(customer);
    if (!last) return text('nothingYet');
    const delivery = await control('redeliver', { message_id: last.message_id });
    return `${text('done')} · ${delivery.status || delivery.error}`;
  }
  if (name === 'token') {
    await control('tokens');
    return text('done');
  }
  await control('faults', { preset: name });
  return text('armed');
}

async function say(words) {
  const message = { text: words, user: customer.user, name: customer.name };
  if (customer.place) message.group = customer.place;
  find('messages').scrollTop = find('messages').scrollHeight;
  await control('say', message).catch(() => banner(text('disconnected')));
}

function prepareComposer() {
  const draft = find('draft');
  const grow = () => { draft.rows = Math.min(5, draft.value.split('\n').length); };
  find('send').append(icon('send', 20));
  find('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    const words = draft.value.trim();
    draft.value = '';
    grow();
    if (words) say(words);
  });
  draft.addEventListener('input', grow);
  draft.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      find('composer').requestSubmit();
    }
  });
}

function speak(language) {
  chooseLanguage(language);
  remember('language', currentLanguage());
  const other = currentLanguage() === 'zh' ? 'en' : 'zh';
  find('language').textContent = other === 'zh' ? '中文' : 'English';
  find('language').onclick = () => speak(other);
  find('draft').placeholder = text('placeholder');
  find('send').setAttribute('aria-label', text('send'));
  if (platform) {
    drawChoices();
    draw();
  }
}

function showPane(name) {
  document.body.dataset.pane = name;
  for (const tab of document.querySelectorAll('[data-pane-of]')) tab.setAttribute('aria-selected', String(tab.dataset.paneOf === name));
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

prepareComposer();
speak(recall('language') ?? (navigator.languages.some((tag) => tag.startsWith('zh')) && !navigator.language.startsWith('en') ? 'zh' : 'en'));
showPane('chat');
for (const tab of document.querySelectorAll('[data-pane-of]')) tab.addEventListener('click', () => showPane(tab.dataset.paneOf));
find('clear').addEventListener('click', () => control('clear'));
const tellTime = () => { find('clock').textContent = new Date().toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' }); };
tellTime();
setInterval(() => { tellTime(); if (platform && story.typingSince.size && !isTyping(customer, story)) draw(); }, 1000);
begin();

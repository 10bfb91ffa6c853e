// The phone in the middle: one customer's chat, as the platform draws it.

import { clockTime, find, icon, make, sync } from './dom.js';
import { shownAs } from './markup.js';
import { currentLanguage, text } from './texts.js';

const TYPING_SHOWN = 25; // seconds, as on WhatsApp

export function drawChat(platform, customer, story) {
  const list = find('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const lines = story.chat(customer);
  const typing = isTyping(customer, story);
  const version = (line) => `${currentLanguage()} ${line.kind === 'said' ? story.progress(line) : ''}`;
  const rows = lines.map((line) => ({ key: line.number, version: version(line), build: () => row(platform, customer, line, story) }));
  if (typing) rows.push({ key: 'typing', version: '', build: () => make('li.row.theirs', [face('shop'), make('div.bubble.typing', [make('i'), make('i'), make('i')])]) });
  const note = (key, words) => ({ key, version: currentLanguage(), build: () => make(`li.${key}`, text(words)) });
  sync(list, [note('day', 'today'), note('notice', 'localNote'), ...rows]);
  if (atEnd) list.scrollTop = list.scrollHeight;
  drawHead(platform, customer, typing);
}

export function isTyping(customer, story) {
  const since = story.typingSince.get(customer.user);
  return since !== undefined && Date.now() / 1000 - since < TYPING_SHOWN;
}

function drawHead(platform, customer, typing) {
  const presence = { whatsapp: 'presenceWhatsapp', wecom: 'presenceWecom', dingtalk: 'presenceDingtalk', feishu: 'presenceFeishu', telegram: 'presenceTelegram' }[platform];
  find('peer').textContent = customer.place ? text('group') : text('shop');
  find('presence').textContent = typing ? text('typing') : text(presence);
  find('presence').classList.toggle('busy', typing);
}

function row(platform, customer, line, story) {
  const mine = line.kind === 'said' && line.user === customer.user;
  const from = line.kind === 'said' ? 'person' : 'shop';
  const bubble = make('div.bubble', line.kind === 'said' ? [line.text] : shownAs(platform, line.style, named(line, story)));
  if (platform === 'whatsapp') bubble.append(foot(line, mine, story));
  const column = make('div.column', [bubble]);
  if (customer.place && !mine) column.prepend(make('div.sender', line.kind === 'said' ? line.name : text('shop')));
  if (mine) column.append(...state(platform, line, story));
  return make(mine ? 'li.row.mine' : 'li.row.theirs', [face(from, line.name), column]);
}

/** DingTalk shows the name of who is mentioned by id. */
function named(line, story) {
  const mentioned = line.raw?.at?.atUserIds ?? [];
  return mentioned.reduce((words, user) => words.replaceAll(`@${user}`, `@${story.names.get(user) ?? user}`), line.text);
}

function face(kind, name = '') {
  return make(`span.avatar.${kind}`, kind === 'person' ? [...name].at(name.charCodeAt(0) > 255 ? -1 : 0) ?? '' : '', { 'aria-hidden': 'true' });
}

function foot(line, mine, story) {
  const parts = [make('time', clockTime(line.at))];
  if (mine) parts.push(tick(story.progress(line)));
  return make('span.foot', parts);
}

function tick(progress) {
  const drawn = icon({ sending: 'wait', failed: 'wait', delivered: 'ticks', read: 'ticks' }[progress], 16);
  drawn.classList.add(progress);
  return drawn;
}

function state(platform, line, story) {
  const progress = story.progress(line);
  if (progress === 'failed') {
    const delivery = story.deliveries.get(line.message_id);
    const why = delivery.status ? `HTTP ${delivery.status}` : delivery.error;
    return [make('div.failed', `! ${text('notTaken')} (${why})`)];
  }
  if (platform !== 'dingtalk') return [];
  return [make(`div.receipt.${progress}`, [icon(progress === 'sending' ? 'wait' : 'tick', 12)])];
}

// The right side: every exchange between platform and bot, newest below, each to be opened; red lines in their place.

import { clockTime, duration, find, make, sync } from './dom.js';
import { icon } from './icons.js';
import { inside } from './inside.js';
import { reasonSentence, ruleSentence } from './rules.js';
import { currentLanguage, known, text } from './texts.js';

const MINOR = new Set(['status', 'poll', 'card_stream', 'aibot_respond_msg', 'token', 'read', 'typing']);

export function drawFigures(figures, breaches) {
  find('figure-ack').textContent = figures.ack === undefined ? '–' : duration(figures.ack);
  find('figure-reply').textContent = figures.reply === undefined ? '–' : duration(figures.reply);
  find('figure-calls').textContent = figures.calls ?? '–';
  find('figure-breaches').textContent = breaches;
  find('figure-breaches').parentElement.classList.toggle('red', breaches > 0);
  find('badge').textContent = breaches || '';
  find('badge').hidden = !breaches;
}

export function drawWire(story) {
  const list = find('entries');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 120;
  const language = currentLanguage();
  const drawn = story.exchanges().map((crowd) => ({ key: crowd[0].number, version: `${language} ${crowd.length} ${crowd[0].rule ?? ''}`, build: () => (crowd[0].kind === 'breach' ? redLine(crowd[0]) : line(crowd, story)) }));
  sync(list, drawn.length ? drawn : [{ key: 'empty', version: language, build: () => make('li.empty', text('wireEmpty')) }]);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function redLine(entry) {
  const head = make('div.first', [make('span.way', [icon('alarm', 14)]), make('b', text('breach')), make('code', entry.rule), make('span.fill'), make('time', clockTime(entry.at, true))]);
  return make('li.red-line', [head, make('p', ruleSentence(entry.rule)), ...(entry.detail ? [make('small', entry.detail)] : [])]);
}

function line(crowd, story) {
  const entry = crowd.at(-1);
  const details = make('details', [summary(entry, crowd, story)]);
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1) details.append(inside(entry));
  });
  return make(`li.entry.${entry.kind}.${mood(entry)}${MINOR.has(entry.what ?? entry.endpoint) ? '.minor' : ''}`, [details]);
}

function mood(entry) {
  const good = entry.status >= 200 && entry.status < 300;
  if (entry.what === 'mischief') return good ? 'bad' : 'odd';
  if (entry.reason || !good) return 'bad';
  return entry.remarks?.length ? 'odd' : 'good';
}

function summary(entry, crowd, story) {
  const outward = entry.kind === 'webhook';
  const place = outward ? new URL(entry.url, location.href).pathname : entry.path;
  const first = make('div.first', [
    make('span.way', [icon(outward ? 'right' : 'left', 14)], { title: text(outward ? 'toBot' : 'toPlatform') }),
    make('b', `${label(entry)}${kindWord(entry, story)}`), ...badges(entry, crowd), make('span.fill'),
    make('span.status', entry.status || text(outward ? 'noAnswer' : 'cut')), make('span.ms', duration(entry.ms)),
  ]);
  const second = make('div.second', [make('code', `${entry.method} ${place}`), make('time', clockTime(entry.at, true))]);
  return make('summary', [first, second, ...remarks(entry)]);
}

/** Why it was refused, in sentences; the platform's own words behind them. */
function remarks(entry) {
  const told = [];
  if (entry.reason) {
    const sentence = entry.rule ? ruleSentence(entry.rule) : reasonSentence(entry.reason);
    told.push(make('div.remark', sentence ? [sentence, make('small', entry.reason)] : entry.reason));
  }
  for (const remark of [entry.error && text(entry.error), ...(entry.remarks ?? [])].filter(Boolean)) told.push(make('div.remark', reasonSentence(remark) || remark));
  return told;
}

function label(entry) {
  if (entry.kind === 'call') return known(`call_${entry.endpoint}`) ? text(`call_${entry.endpoint}`) : entry.endpoint;
  if (entry.what === 'message' && entry.method === 'FRAME') return text('what_frame');
  if (entry.what === 'message' && entry.clear) return text('what_encrypted');
  return `${known(`what_${entry.what}`) ? text(`what_${entry.what}`) : `${text('what_event')} · ${entry.what}`}${statusWord(entry)}`;
}

function statusWord(entry) {
  const found = entry.what === 'status' && /"status":"(\w+)"/u.exec(entry.body);
  return found ? ` · ${text(`status_${found[1]}`)}` : '';
}

/** What kind of message a webhook brings, where it is not just text. */
function kindWord(entry, story) {
  const style = entry.kind === 'webhook' && entry.what !== 'status' && entry.what !== 'poll' ? story.styles.get(entry.message_id) : undefined;
  return style && known(`kind_${style}`) ? ` · ${text(`kind_${style}`)}` : '';
}

function badges(entry, crowd) {
  const all = [];
  if (entry.kind === 'webhook' && entry.method !== 'FRAME') all.push(make('span.seal', [icon('seal', 13)], { title: text('signature') }));
  if (crowd.length > 1) all.push(make('span.again', `×${crowd.length}`, { title: text('times', crowd.length) }));
  if (entry.attempt > 1) all.push(make('span.again', text('again', entry.attempt)));
  return all;
}

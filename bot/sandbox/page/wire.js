// The right side: every HTTP exchange between platform and bot, newest below, each to be opened.

import { clockTime, duration, find, icon, make, sync } from './dom.js';
import { currentLanguage, text } from './texts.js';

const SIGNATURES = ['x-hub-signature-256', 'sign', 'authorization', 'x-acs-dingtalk-access-token', 'x-lark-signature', 'x-telegram-bot-api-secret-token'];

export function drawFigures(figures) {
  find('figure-ack').textContent = figures.ack === undefined ? '–' : duration(figures.ack);
  find('figure-reply').textContent = figures.reply === undefined ? '–' : duration(figures.reply);
  find('figure-calls').textContent = figures.calls ?? '–';
}

export function drawWire(platform, story) {
  const list = find('entries');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 120;
  const version = currentLanguage();
  const drawn = story.wire.map((entry) => ({ key: entry.number, version, build: () => line(platform, entry) }));
  sync(list, drawn.length ? drawn : [{ key: 'empty', version, build: () => make('li.empty', text('wireEmpty')) }]);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function line(platform, entry) {
  const details = make('details', [summary(platform, entry)]);
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1) details.append(inside(entry));
  });
  return make(`li.entry.${entry.kind}.${mood(entry)}${entry.what === 'status' ? '.minor' : ''}`, [details]);
}

function mood(entry) {
  if (entry.reason || entry.status !== 200) return 'bad';
  return entry.remarks?.length ? 'odd' : 'good';
}

function summary(platform, entry) {
  const outward = entry.kind === 'webhook';
  const place = outward ? new URL(entry.url, location.href).pathname : entry.path;
  const first = make('div.first', [
    make('span.way', [icon(outward ? 'right' : 'left', 14)], { title: text(outward ? 'toBot' : 'toPlatform') }),
    make('b', label(platform, entry)), ...badges(entry), make('span.fill'),
    make('span.status', entry.status || text(outward ? 'noAnswer' : 'cut')), make('span.ms', duration(entry.ms)),
  ]);
  const second = make('div.second', [make('code', `${entry.method} ${place}`), make('time', clockTime(entry.at, true))]);
  const remarks = [entry.reason, entry.error, ...(entry.remarks ?? [])].filter(Boolean);
  return make('summary', [first, second, ...remarks.map((remark) => make('div.remark', remark))]);
}

function label(platform, entry) {
  if (entry.kind === 'call') return text(`call_${entry.endpoint}`);
  if (entry.what !== 'message') return `${text(entry.what)}${statusWord(entry)}`;
  return text(entry.clear ? 'encrypted' : 'message');
}

function statusWord(entry) {
  const found = entry.what === 'status' && /"status":"(\w+)"/u.exec(entry.body);
  return found ? ` · ${found[1]}` : '';
}

function badges(entry) {
  const all = [];
  if (entry.kind === 'webhook') all.push(make('span.seal', [icon('seal', 13)], { title: text('signature') }));
  if (entry.attempt > 1) all.push(make('span.again', `×${entry.attempt}`));
  return all;
}

function inside(entry) {
  const query = entry.kind === 'webhook' ? new URL(entry.url, location.href).search.slice(1) : entry.query;
  return make('div.inside', [
    make('h3', text('headers')), table(entry.headers, query),
    ...bodies(entry),
    make('h3', `${text('answer')} · ${entry.status || text('noAnswer')} · ${duration(entry.ms)}`),
    make('pre', pretty(entry.answer) || text('answerEmpty')),
  ]);
}

function table(headers, query) {
  const rows = [...new URLSearchParams(query)].map(([name, value]) => [`?${name}`, value]);
  rows.push(...Object.entries(headers));
  return make('dl.headers', rows.flatMap(([name, value]) => {
    const proof = SIGNATURES.includes(name.toLowerCase()) || ['?msg_signature', '?access_token', '?session'].includes(name);
    return [make(proof ? 'dt.proof' : 'dt', name), make(proof ? 'dd.proof' : 'dd', value)];
  }));
}

function bodies(entry) {
  if (!entry.body) return [];
  if (entry.clear) return [make('h3', text('ciphered')), make('pre.raw', entry.body), make('h3', text('clear_text')), make('pre', spacedXml(entry.clear))];
  const readable = pretty(entry.body);
  const raw = [make('h3', text('asSent')), make('pre.raw', entry.body)];
  return readable === entry.body ? raw : [...raw, make('h3', text('readable')), make('pre', readable)];
}

function pretty(body) {
  try {
    const value = JSON.parse(body);
    return typeof value === 'object' ? JSON.stringify(value, null, 2) : body;
  } catch {
    return body;
  }
}

const spacedXml = (xml) => xml.replace(/></gu, '>\n<').replace(/^<(?!\/?xml)/gmu, '  <').replace(/\n {2}<!/gu, '<!').replace(/\]\]>\n {2}<\//gu, ']]></');

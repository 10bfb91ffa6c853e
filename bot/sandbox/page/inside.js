// An exchange, opened: headers, what was sent, what was answered.

import { duration, make } from './dom.js';
import { text } from './texts.js';

const SIGNATURES = new Set([
  'x-hub-signature-256', 'sign', 'authorization', 'x-acs-dingtalk-access-token', 'x-lark-signature', 'x-telegram-bot-api-secret-token', 'x-ddpaas-signature',
  '?msg_signature', '?access_token', '?session', '?response_code', '?signature',
]);

export function inside(entry) {
  const query = entry.kind === 'webhook' ? new URL(entry.url, location.href).search.slice(1) : entry.query;
  return make('div.inside', [
    make('h3', text('headers')), table(entry.headers, query),
    ...bodies(entry),
    make('h3', `${text('answer')} · ${entry.status || text('noAnswer')} · ${duration(entry.ms)}`),
    make('pre', pretty(entry.answer) || text('answerEmpty'), { tabindex: 0 }),
  ]);
}

function table(headers, query) {
  const rows = [...new URLSearchParams(query)].map(([name, value]) => [`?${name}`, value]);
  rows.push(...Object.entries(headers));
  return make('dl.headers', rows.flatMap(([name, value]) => {
    const proof = SIGNATURES.has(name.toLowerCase()) ? '.proof' : '';
    return [make(`dt${proof}`, name), make(`dd${proof}`, value)];
  }));
}

function bodies(entry) {
  if (!entry.body) return [];
  const raw = (key) => [make('h3', text(key)), make('pre.raw', shortened(entry.body), { tabindex: 0 })];
  if (entry.clear) return [...raw('ciphered'), make('h3', text('clear_text')), make('pre', entry.clear.startsWith('<') ? spacedXml(entry.clear) : pretty(entry.clear), { tabindex: 0 })];
  const readable = pretty(entry.body);
  return readable === entry.body ? raw('asSent') : [...raw('asSent'), make('h3', text('readable')), make('pre', readable, { tabindex: 0 })];
}

const shortened = (body) => (body.length > 20000 ? `${body.slice(0, 20000)}\n… (${body.length})` : body);

function pretty(body) {
  try {
    const value = JSON.parse(body);
    return typeof value === 'object' ? JSON.stringify(value, null, 2) : body;
  } catch {
    return shortened(body);
  }
}

const spacedXml = (xml) => xml.replace(/></gu, '>\n<').replace(/^<(?!\/?xml)/gmu, '  <').replace(/\n {2}<!/gu, '<!').replace(/\]\]>\n {2}<\//gu, ']]></');

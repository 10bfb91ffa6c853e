// What each platform makes of a text: WhatsApp's own marks, WeCom's links, the Markdown of DingTalk and Feishu. Telegram's
// HTML was parsed by the platform: here it is plain. Built as nodes.

import { make } from './dom.js';

const SPANS = {
  whatsapp: [
    [/```([^]+?)```/u, 'code'], [/`([^`\n]+)`/u, 'code'],
    [/(?<![\p{L}\p{N}*])\*(?=\S)([^*\n]*\S)\*(?![\p{L}\p{N}*])/u, 'b'],
    [/(?<![\p{L}\p{N}_])_(?=\S)([^_\n]*\S)_(?![\p{L}\p{N}_])/u, 'i'],
    [/(?<![\p{L}\p{N}~])~(?=\S)([^~\n]*\S)~(?![\p{L}\p{N}~])/u, 's'],
    [/(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)])/u, 'link'],
  ],
  wecom: [[/<a href="(https?:\/\/[^"]+)">([^<]*)<\/a>/u, 'anchor'], [/(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)])/u, 'link']],
  dingtalk: [
    [/`([^`\n]+)`/u, 'code'], [/\*\*([^*\n]+)\*\*/u, 'b'], [/(?<!\*)\*([^*\n]+)\*(?!\*)/u, 'i'],
    [/\[([^\]\n]+)\]\((https?:\/\/[^)\s]+)\)/u, 'named'], [/(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)])/u, 'link'],
  ],
};
SPANS.feishu = SPANS.dingtalk;
SPANS.telegram = SPANS.dingtalk;

/** The nodes of a message as *platform* shows it; *style* is text or markdown. */
export function shownAs(platform, style, words) {
  const spans = SPANS[platform] === SPANS.dingtalk && style === 'text' ? SPANS.dingtalk.slice(-1) : SPANS[platform];
  if (style !== 'markdown' || platform === 'whatsapp') return inline(words, spans);
  return words.split('\n').map((line) => block(line, spans));
}

function block(line, spans) {
  const heading = /^#{1,6}\s+(.*)$/u.exec(line);
  if (heading) return make('div.heading', inline(heading[1], spans));
  const quote = /^>\s?(.*)$/u.exec(line);
  if (quote) return make('div.quote', inline(quote[1], spans));
  const item = /^\s*[-*]\s+(.*)$/u.exec(line);
  if (item) return make('div.item', inline(item[1], spans));
  return make(line.trim() ? 'div.line' : 'div.gap', inline(line.trim(), spans));
}

function inline(words, spans) {
  let first = null;
  for (const [pattern, kind] of spans) {
    const match = pattern.exec(words);
    if (match && (!first || match.index < first.match.index)) first = { match, kind };
  }
  if (!first) return words ? [words] : [];
  const { match, kind } = first;
  const rest = words.slice(match.index + match[0].length);
  return [...(match.index ? [words.slice(0, match.index)] : []), span(kind, match, spans), ...inline(rest, spans)];
}

function span(kind, match, spans) {
  if (kind === 'code') return make('code', match[1]);
  if (kind === 'link') return link(match[1], match[1]);
  if (kind === 'anchor') return link(match[1], match[2]);
  if (kind === 'named') return link(match[2], match[1]);
  return make(kind, inline(match[1], spans));
}

const link = (address, words) => make('a', words, { href: address, rel: 'noreferrer noopener', target: '_blank' });

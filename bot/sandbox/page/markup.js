// What each platform makes of a text: WhatsApp's own marks, WeCom's links, the Markdown of AI bots, DingTalk and Feishu.
// Telegram's HTML was parsed by the platform: here it is plain. Built as nodes; pictures in a text are named, not loaded.

import { make } from './dom.js';

const LINK = [/(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)，。；：！？）])/u, 'link'];
const MARKDOWN = [
  [/`([^`\n]+)`/u, 'code'], [/\*\*([^*\n]+)\*\*/u, 'b'], [/(?<!\*)\*(?=\S)([^*\n]*\S)\*(?!\*)/u, 'i'], [/~~([^~\n]+)~~/u, 's'],
  [/!\[([^\]\n]*)\]\(([^)\s]+)\)/u, 'drawing'], [/\[([^\]\n]+)\]\((https?:\/\/[^)\s]+)\)/u, 'named'], LINK,
];
const SPANS = {
  whatsapp: [
    [/```([^]+?)```/u, 'code'], [/`([^`\n]+)`/u, 'code'],
    [/(?<![\p{L}\p{N}*])\*(?=\S)([^*\n]*\S)\*(?![\p{L}\p{N}*])/u, 'b'],
    [/(?<![\p{L}\p{N}_])_(?=\S)([^_\n]*\S)_(?![\p{L}\p{N}_])/u, 'i'],
    [/(?<![\p{L}\p{N}~])~(?=\S)([^~\n]*\S)~(?![\p{L}\p{N}~])/u, 's'],
    LINK,
  ],
  wecom: [[/<a href="(https?:\/\/[^"]+)">([^<]*)<\/a>/u, 'anchor'], LINK],
};
SPANS['wecom-kf'] = SPANS.wecom;

/** The nodes of a message as *platform* shows it; *style* is text or markdown. */
export function shownAs(platform, style, words) {
  if (style !== 'markdown' || platform === 'whatsapp') return inline(words, SPANS[platform] ?? [LINK]);
  return blocks(words.split('\n'));
}

/** Lines of Markdown; what stands between ``` is left as it is. */
function blocks(lines) {
  const built = [];
  let code = null;
  for (const line of lines) {
    if (line.trim().startsWith('```')) {
      if (code) built.push(make('pre.code', code.join('\n')));
      code = code ? null : [];
    } else if (code) code.push(line);
    else built.push(block(line));
  }
  if (code) built.push(make('pre.code', code.join('\n')));
  return built;
}

const BLOCKS = [[/^#{1,6}\s+(.*)$/u, 'heading'], [/^>\s?(.*)$/u, 'quote'], [/^\s*[-*+]\s+(.*)$/u, 'item'], [/^\s*(\d+)[.)]\s+(.*)$/u, 'counted'], [/^\s*(?:---+|\*\*\*+)\s*()$/u, 'ruled']];

function block(line) {
  for (const [pattern, kind] of BLOCKS) {
    const match = pattern.exec(line);
    if (!match) continue;
    const element = make(`div.${kind}`, inline(match.at(-1), MARKDOWN));
    if (kind === 'counted') element.prepend(make('span.count', `${match[1]}.`));
    return element;
  }
  return make(line.trim() ? 'div.line' : 'div.gap', inline(line.trim(), MARKDOWN));
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
  if (kind === 'drawing') return make('span.drawing', match[1] || '…', { title: match[2] });
  return make(kind, inline(match[1], spans));
}

const link = (address, words) => make('a', words, { href: address, rel: 'noreferrer noopener', target: '_blank' });

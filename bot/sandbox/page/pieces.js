// What stands in a bubble besides words: pictures, voices, files, places, cards.

import { make, press } from './dom.js';
import { icon } from './icons.js';
import { text } from './texts.js';

const host = (address) => { try { return new URL(address).host; } catch { return '?'; } };
const isElsewhere = (media) => /^https?:/u.test(media);

/** A file of *line*; *kind* is image, audio, video, document or sticker. Nothing is loaded from elsewhere. */
export function file(kind, line, remote, name) {
  if (isElsewhere(line.media)) return elsewhere(kind, line.media);
  const address = remote.media(line.media);
  if (kind === 'image' || kind === 'sticker') return picture(kind, address, name);
  if (kind === 'audio') return voice(line.fields?.duration);
  if (kind === 'video') return make('div.film', [make('span.film-play', [icon('play', 26)]), make('small', '0:04')], { role: 'img', 'aria-label': text('kind_video') });
  return document_(name || text('kind_file'), address);
}

function elsewhere(kind, address) {
  const key = kind === 'image' ? 'elsewhere' : 'elsewhereFile';
  return make('div.elsewhere', [icon(kind === 'image' ? 'image' : 'file', 24), make('span', text(key, host(address)))], { title: address });
}

function picture(kind, address, name) {
  const image = make(`img.${kind === 'sticker' ? 'sticker' : 'picture'}`, [], { src: address, alt: name || text(`kind_${kind}`) });
  image.addEventListener('error', () => image.replaceWith(make(`div.${kind === 'sticker' ? 'sticker' : 'elsewhere'}.drawn`, [icon(kind, 34)], { role: 'img', 'aria-label': text(`kind_${kind}`) })));
  return image;
}

const WAVE = [5, 9, 14, 8, 16, 11, 6, 13, 18, 10, 7, 15, 9, 12, 5, 8, 14, 7, 10, 5, 8, 4];

function voice(milliseconds) {
  const seconds = Math.round((milliseconds || 4000) / 1000);
  const bars = make('span.bars', WAVE.map((height) => make(`i.h${height}`)), { 'aria-hidden': 'true' });
  return make('div.voice', [make('span.voice-play', [icon('play', 18)]), make('span.voice-wave', [icon('wave', 20)]), bars, make('small', text('voiceSeconds', seconds))], { role: 'img', 'aria-label': text('kind_voice') });
}

function document_(name, address) {
  const ending = name.includes('.') ? name.split('.').at(-1).slice(0, 4).toUpperCase() : '···';
  return make('a.document', [make('span.leaf', ending), make('span.document-name', [make('b', name), make('small', text('kind_file'))])], { href: address, download: name });
}

function place(fields) {
  const title = fields.name ?? fields.label ?? '';
  const map = make('div.map', [icon('pin', 30)], { 'aria-hidden': 'true' });
  const words = [make('b', title || text('kind_location')), make('small', fields.address ?? `${fields.latitude}, ${fields.longitude}`)];
  return make('div.place', [make('div.place-words', words), map]);
}

function contact(fields) {
  return make('div.contact', [make('div.contact-who', [make('span.avatar.person', [...fields.name][0]), make('span', [make('b', fields.name), make('small', fields.phone)])]), make('div.contact-foot', text('contactCard'))]);
}

function titled(kind, title, words, mark) {
  return make(`div.titled.${kind}`, [make('span.titled-words', [make('b', title), make('small', words)]), make('span.titled-mark', [icon(mark, 22)])]);
}

const quoted = (words) => make('div.quoted', words);
const labelled = (mark, words) => make('div.labelled', [icon(mark, 13), words]);

const PICTURES = new Set(['image', 'picture', 'mixed', 'richText']);
const FILES = { audio: 'audio', voice: 'audio', video: 'video', document: 'document', file: 'document', sticker: 'sticker' };

const BUILT = {
  location: (line) => [place(line.fields)],
  contacts: (line) => [contact(line.fields)],
  link: (line) => [titled('linked', line.fields.title, line.fields.url, 'link')],
  order: (line) => [titled('ordered', text('orderTitle'), text('pieces', line.fields.retailer_id, line.fields.quantity), 'cart'), line.text],
  quoted: (line) => [quoted(line.fields.quoted), line.text],
  forwarded: (line) => [labelled('forward', text('forwarded')), line.text],
  referral: (line) => [titled('advert', 'Autumn sale', text('advert'), 'horn'), line.text],
  group: (line) => [labelled('people', line.fields.group_id), line.text],
  nfm_reply: (line) => [titled('formed', text('form'), Object.entries(line.fields.response ?? {}).map(([name, value]) => `${name}: ${value}`).join(', '), 'form')],
  chatRecord: (line) => [titled('formed', line.fields.title, line.fields.summary, 'quote')],
  merged_msg: () => [titled('formed', text('record'), '…', 'quote')],
  interactiveCard: () => [titled('formed', text('cardWord'), 'example.com', 'card')],
};
const STRANGE = new Set(['unsupported', 'unknown', 'unknownMsgType']);

/** What a customer sent, as nodes. */
export function sent(line, remote) {
  if (PICTURES.has(line.style) && line.media) return [file('image', line, remote, line.fields.filename), ...(line.text ? [make('div.caption', line.text)] : [])];
  const kind = FILES[line.style];
  if (kind) return [line.media || kind !== 'audio' ? file(kind, line, remote, line.fields.filename ?? line.fields.fileName) : voice(), ...words(line)];
  if (BUILT[line.style]) return BUILT[line.style](line);
  if (STRANGE.has(line.style)) return [make('i.strange', text('strange'))];
  return [line.text];
}

function words(line) {
  const heard = line.fields.recognition ?? line.fields.content;
  if (heard) return [make('div.heard', heard, { title: text('voiceWords') })];
  return line.text ? [make('div.caption', line.text)] : [];
}

/** Whether the bubble is nothing but a picture, and wants no padding. */
export const isBare = (line) => (line.media && !line.text && ['image', 'picture', 'sticker', 'video'].includes(line.media_kind || line.style)) || ['location', 'contacts', 'linked'].includes(line.style);

/** What a message can be answered with by a tap, as the platform draws it. */
export function choices(platform, line, chosen, tap, openList) {
  const options = line.choices ?? [];
  if (!options.length) return null;
  const reply = (mark) => options.map((choice) => option(choice, chosen, () => tap(line, choice), mark));
  if (platform === 'whatsapp') {
    const listed = options.length > 3 || options.some((choice) => choice.description);
    const open = listed && press('.option', [icon('list', 18), line.raw?.interactive?.action?.button ?? text('options')], () => openList(line), { 'data-choice': 'list' });
    return make('div.options', listed ? [open] : reply('reply'));
  }
  return make(`div.options${line.raw?.template_card?.card_type === 'vote_interaction' ? '.votes' : ''}`, reply(''));
}

function option(choice, chosen, act, mark) {
  const parts = [...(mark ? [icon(mark, 16)] : []), make('span', choice.title)];
  if (/^https?:/u.test(choice.id)) return make('a.option', parts, { href: choice.id, rel: 'noreferrer noopener', target: '_blank' });
  const button = press('.option', parts, act, { 'data-choice': choice.id });
  if (chosen === choice.id) {
    button.classList.add('chosen');
    button.setAttribute('aria-pressed', 'true');
  }
  return button;
}

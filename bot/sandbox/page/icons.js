// Icons, drawn by hand as paths.

const SVG = 'http://www.w3.org/2000/svg';

const SMALL = {
  tick: 'M1.5 8.2 4.8 11.5 11 4.5',
  ticks: 'M1.5 8.2 4.8 11.5 11 4.5 M7.6 10.6 8.5 11.5 14.7 4.5',
  wait: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2 M8 5v3.3l2.2 1.3',
  right: 'M3 8h9 M8.6 4.4 12.4 8l-3.8 3.6',
  left: 'M13 8H4 M7.4 4.4 3.6 8l3.8 3.6',
  seal: 'M8 1.8 13 3.6v4c0 3-2 5.4-5 6.6-3-1.2-5-3.6-5-6.6v-4z M5.6 7.8l1.8 1.8 3-3.4',
  alarm: 'M8 2 14.6 13.500H1.400z M8 6.200v3.600 M8 11.700v.2',
};

const LARGE = {
  send: 'M3 11.6 20.4 4 16 20.4l-4.3-6.2z',
  plus: 'M12 5v14 M5 12h14',
  cross: 'M6 6l12 12 M18 6 6 18',
  image: 'M4 5h16v14H4z M4 16l5-5 4 4 3-3 4 4 M15.500 8.500a1 1 0 1 0 .1 0',
  mic: 'M12 3.500a2.800 2.800 0 0 1 2.800 2.800v5a2.800 2.800 0 0 1-5.600 0v-5A2.800 2.800 0 0 1 12 3.500z M6 11a6 6 0 0 0 12 0 M12 17v3.500',
  video: 'M3.500 6.500h11v11h-11z M14.500 10.500l6-3v9l-6-3',
  file: 'M6 3.500h8l4.500 4.500v12.500H6z M14 3.500V8h4.500',
  sticker: 'M5 4h14v9l-6 7H5z M13 20v-7h6 M9 9v.6 M14.500 9v.6',
  pin: 'M12 21s-6.500-6.300-6.500-11a6.500 6.500 0 0 1 13 0c0 4.700-6.500 11-6.500 11z M12 7.800a2.200 2.200 0 1 0 .1 0',
  person: 'M12 4.500a3.800 3.800 0 1 0 .1 0 M4.500 20c.6-4.200 3.600-6 7.500-6s6.900 1.800 7.500 6',
  people: 'M9 6a3 3 0 1 0 .1 0 M3 19c.5-3.600 2.800-5.200 6-5.200s5.500 1.600 6 5.200 M15.500 6.300a2.800 2.800 0 1 1 .8 5.400 M17.500 14c2 .5 3.200 2 3.600 4.500',
  list: 'M8.500 6.500H20 M8.500 12H20 M8.500 17.500H20 M4 6.500h.5 M4 12h.5 M4 17.500h.5',
  link: 'M10 14a4 4 0 0 0 5.700 0l3-3a4 4 0 0 0-5.700-5.700l-1 1 M14 10a4 4 0 0 0-5.700 0l-3 3a4 4 0 0 0 5.700 5.700l1-1',
  cart: 'M3 4.500h2.500l2.300 10.500h9.700l2-7.500H6.300 M9 19.500h.1 M16.500 19.500h.1',
  smile: 'M12 3.500a8.500 8.500 0 1 0 .1 0 M8.500 14c1.800 2.300 5.200 2.300 7 0 M9 9.500v.5 M15 9.500v.5',
  pen: 'M4 20l1-4.500L16 4.500l3.500 3.500-11 11z M13.500 7l3.500 3.500',
  bin: 'M4.500 6.500h15 M9 6.500V4h6v2.500 M6.500 6.500l1 14h9l1-14 M10 10.500v6 M14 10.500v6',
  forward: 'M13 5l7 6.500-7 6.500v-4c-5 0-8 1.500-9.500 5 .3-6 3.500-9.300 9.500-9.500z',
  horn: 'M4 10v4h3l8 4.500v-13L7 10z M18 9.500c1 1.500 1 3.500 0 5',
  phone: 'M6.500 4h3l1.500 4-2 1.500a11 11 0 0 0 5.500 5.500l1.500-2 4 1.500v3c0 1-1 2-2 2C10.500 19 5 13.500 4.500 6c0-1 1-2 2-2z',
  question: 'M12 3.500a8.500 8.500 0 1 0 .1 0 M9.500 9.500c.2-3.300 5.200-3 5 .2-.1 2-2.500 2-2.500 4 M12 17v.3',
  door: 'M6 20.500V3.500h11v17 M3.500 20.500h17 M13.500 12v.6',
  bell: 'M6 16.500V11a6 6 0 0 1 12 0v5.500l1.500 1.500h-15z M10 20.500h4',
  thumb: 'M7.500 11 11 4c2 0 2.500 1.300 2.300 2.800L13 10h5c1.500 0 2.200 1 1.800 2.400l-1.500 5.800c-.3 1-1 1.500-2 1.500H7.500z M7.500 11H4v8.700h3.500',
  quote: 'M5 6.500h14v9h-8l-4 4v-4H5z M9 10h6 M9 12.500h4',
  card: 'M3.500 6h17v12h-17z M3.500 10h17 M7 14.500h4',
  form: 'M6 3.500h12v17H6z M9 8h6 M9 12h6 M9 16h3',
  wave: 'M6 10v4 M9.500 7v10 M13 9v6 M16.500 5.500v13',
  play: 'M8 5.500v13l11-6.500z',
  reply: 'M10 6 4 11.500 10 17v-3.500c5 0 8 1 10 4.500-.5-6-4-9-10-9z',
  meter: 'M4 17a8.500 8.500 0 1 1 16 0 M12 14l4-5',
  down: 'M12 4v11 M7.500 11 12 15.500 16.500 11 M5 20h14',
};

/** One icon; *size* in pixels. */
export function icon(name, size = 16) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', name in SMALL ? '0 0 16 16' : '0 0 24 24');
  svg.setAttribute('width', size);
  svg.setAttribute('height', size);
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon', `icon-${name}`);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', SMALL[name] ?? LARGE[name] ?? LARGE.question);
  svg.append(path);
  return svg;
}

/** What stands for each kind of message in the menu behind the plus. */
export const KIND_ICONS = {
  image: 'image', picture: 'image', audio: 'mic', voice: 'mic', video: 'video', document: 'file', file: 'file', sticker: 'sticker', location: 'pin', contacts: 'person',
  button_reply: 'reply', list_reply: 'list', nfm_reply: 'form', button: 'reply', reaction: 'smile', order: 'cart', unsupported: 'question', edit: 'pen', revoke: 'bin', recall: 'bin',
  forwarded: 'forward', referral: 'horn', group: 'people', number_changed: 'phone', unknown: 'question', unknownMsgType: 'question', link: 'link', enter_agent: 'door', enter_chat: 'door', enter_session: 'door',
  subscribe: 'bell', unsubscribe: 'bell', click: 'list', inactive_alert: 'bell', mixed: 'image', richText: 'image', quoted: 'quote', feedback: 'thumb', merged_msg: 'form', chatRecord: 'form', interactiveCard: 'card', quota: 'meter',
};

/** What customers do rather than say. */
export const DEEDS = new Set(['enter_agent', 'enter_chat', 'enter_session', 'subscribe', 'unsubscribe', 'click', 'inactive_alert', 'feedback', 'number_changed', 'quota', 'reaction', 'edit', 'revoke', 'recall', 'tap', 'template_card_event']);

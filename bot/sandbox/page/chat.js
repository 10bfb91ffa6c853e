// The phone in the middle: one customer's chat, as the platform draws it.

import { clockTime, find, make, press, sync } from './dom.js';
import { DEEDS, icon } from './icons.js';
import { shownAs } from './markup.js';
import { choices, file, isBare, sent } from './pieces.js';
import { currentLanguage, known, platformText, text } from './texts.js';

const TYPING_SHOWN = 25; // seconds, as on WhatsApp
const CLOCKED = new Set(['whatsapp', 'telegram']); // the time stands in the bubble
const RATED = new Set(['wecom-aibot']);

/** *scene*: platform (its state), customer, story, remote, tap, openList, rate. */
export function drawChat(scene) {
  const list = find('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const typing = isTyping(scene);
  const language = currentLanguage();
  const rows = scene.story.chat(scene.customer).filter((line) => isSeen(line)).map((line) => ({ key: line.number, version: `${language} ${scene.story.version(line)}`, build: () => row(scene, line) }));
  if (typing) rows.push({ key: 'typing', version: language, build: () => make('li.row.theirs', [face('shop'), make('div.column', [dots()])]) });
  const note = (key, words) => ({ key, version: language, build: () => make(`li.${key}`, text(words)) });
  sync(list, [note('day', 'today'), note('notice', 'localNote'), ...rows]);
  if (atEnd) list.scrollTop = list.scrollHeight;
  drawHead(scene, typing);
}

const isSeen = (line) => line.style !== 'template_card_event';

export function isTyping({ customer, story, remote }) {
  const since = story.typingSince.get(customer.place || customer.user);
  return since !== undefined && remote.now() - since < TYPING_SHOWN;
}

const dots = () => make('div.bubble.typing', [make('i'), make('i'), make('i')], { role: 'img', 'aria-label': text('typing') });

function drawHead({ platform, customer }, typing) {
  find('peer').textContent = customer.place ? text('group') : text('shop');
  find('presence').textContent = typing ? text('typing') : customer.place ? text('groupCount', 3) : platformText('presence', platform.name);
  find('presence').classList.toggle('busy', typing);
}

export const nameOf = ({ platform, story }, user, name = '') =>
  (name && name !== user ? name : platform.customers.find((one) => one.user === user)?.name ?? story.names.get(user) ?? user);

function row(scene, line) {
  if (line.kind === 'said' && (DEEDS.has(line.style) && !(line.style === 'tap' && line.message_id))) return deed(scene, line);
  const mine = line.kind === 'said' && line.user === scene.customer.user;
  const column = make('div.column', line.kind === 'said' ? [saidBubble(scene, line, mine)] : shownBubbles(scene, line));
  const name = line.kind === 'said' ? nameOf(scene, line.user, line.name) : text('shop');
  if (scene.customer.place && !mine) column.prepend(sender(line, name));
  if (mine) column.append(...receipt(scene, line));
  else if (scene.story.signs.get(line.message_id)?.has('failed')) column.append(make('div.failed', `! ${text('failedLater')}`));
  const emoji = scene.story.reactions.get(line.message_id);
  if (emoji && line.message_id) column.append(make('span.reaction', emoji));
  const item = make(mine ? 'li.row.mine' : 'li.row.theirs', [face(line.kind === 'said' ? 'person' : 'shop', name), column]);
  if (line.kind === 'grown' && !line.finished) item.setAttribute('aria-busy', 'true');
  return item;
}

function sender(line, name) {
  return make('div.sender', line.kind === 'said' ? [name] : [name, make('span.robot', text('bot'))]);
}

/** What somebody did, as a quiet line in the middle. */
function deed(scene, line) {
  const key = `did_${line.style}`;
  const who = nameOf(scene, line.user, line.name);
  const detail = line.style === 'reaction' ? line.fields.emoji : line.text;
  const words = known(key) ? text(key, who, detail) : `${who}: ${line.style}`;
  const bad = line.message_id && scene.story.progress(line) === 'failed';
  return make(`li.deed${bad ? '.bad' : ''}`, bad ? [`${words} · ${text('notTaken', why(scene.story.deliveries.get(line.message_id)))}`] : words);
}

function saidBubble(scene, line, mine) {
  const { story, platform } = scene;
  if (story.gone.has(line.message_id)) return make('div.bubble', [make('i.strange', text('deleted'))]);
  const edited = story.edits.get(line.message_id);
  const bubble = make(`div.bubble.is-${line.style}`, edited === undefined ? sent(line, scene.remote) : [edited]);
  if (isBare(line)) bubble.classList.add('bare');
  if (line.style === 'tap' && platform.name === 'whatsapp') bubble.prepend(quotation(scene, line.fields.message_id));
  if (CLOCKED.has(platform.name)) bubble.append(foot(line, mine, scene, edited === undefined ? '' : text('edited')));
  return bubble;
}

function quotation({ story }, id) {
  const quoted = story.lines.find((line) => line.message_id === id);
  return make('div.quoted', [make('b', text('shop')), make('span', quoted?.text.split('\n')[0] ?? '')]);
}

function shownBubbles(scene, line) {
  const { platform, story, remote } = scene;
  const growing = line.kind === 'grown' && !line.finished;
  if (growing && !line.text) return [dots()];
  const name = platform.name;
  const card = line.style === 'card';
  const bubble = make(`div.bubble${card ? '.carded' : ''}${growing ? '.growing' : ''}`, [
    ...(line.media ? [file(line.media_kind, line, remote, line.media_name)] : []),
    ...(card ? cardWords(line, name) : shownAs(name, line.style, named(line, story))),
  ]);
  if (isBare(line)) bubble.classList.add('bare');
  if (growing) (bubble.lastElementChild ?? bubble).append(make('span.cursor', '', { role: 'img', 'aria-label': text('growing') }));
  if (CLOCKED.has(name)) bubble.append(foot(line, false, scene));
  const offered = choices(name, line, story.taps.get(line.message_id), scene.tap, scene.openList);
  if (RATED.has(name) && !growing && line.text) return [bubble, ...(offered ? [offered] : []), rating(scene)];
  if (!offered) return [bubble];
  if (name === 'whatsapp') return [bubble, offered];
  bubble.classList.add('choosing');
  bubble.append(offered);
  return [bubble];
}

function cardWords(line, platform) {
  const [title, ...rest] = line.text.split('\n');
  return [make('div.card-title', title), ...(rest.length ? [make('div.card-words', shownAs(platform, 'text', rest.join('\n')))] : [])];
}

function rating(scene) {
  return make('div.rating', [1, 2].map((type) => press(`.rate${type === 2 ? '.down' : ''}`, [icon('thumb', 15)], () => scene.rate(type), { 'aria-label': text(type === 1 ? 'helpful' : 'unhelpful') })));
}

/** DingTalk shows the name of who is mentioned by id. */
function named(line, story) {
  const mentioned = line.raw?.at?.atUserIds ?? [];
  return mentioned.reduce((words, user) => words.replaceAll(`@${user}`, `@${story.names.get(user) ?? user}`), line.text);
}

export function face(kind, name = '') {
  const shade = [...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % 5;
  return make(`span.avatar.${kind}${kind === 'person' ? `.shade${shade}` : ''}`, kind === 'person' ? initial(name) : '', { 'aria-hidden': 'true' });
}

export const initial = (name) => [...name].at(name.charCodeAt(0) > 255 ? -1 : 0) ?? '';

function foot(line, mine, { story }, remark = '') {
  const parts = [remark, make('time', clockTime(line.at))];
  if (mine) parts.push(tick(story.progress(line)));
  return make('span.foot', parts);
}

function tick(progress) {
  const drawn = icon({ delivered: 'ticks', read: 'ticks' }[progress] ?? 'wait', 16);
  drawn.classList.add(progress);
  drawn.removeAttribute('aria-hidden');
  drawn.setAttribute('role', 'img');
  drawn.setAttribute('aria-label', text(`state_${progress}`));
  return drawn;
}

const why = (delivery) => (delivery?.status ? `HTTP ${delivery.status}` : text(delivery?.error ?? ''));

function receipt({ platform, story }, line) {
  const progress = story.progress(line);
  const delivery = story.deliveries.get(line.message_id);
  if (progress === 'failed') return [make('div.failed', `! ${text('notTaken', why(delivery))}`)];
  if (progress === 'refused') return [make('div.refused', text('rightlyRefused', why(delivery)))];
  if (!['dingtalk', 'feishu'].includes(platform.name)) return [];
  return [make(`div.receipt.${progress}`, [icon(progress === 'sending' ? 'wait' : 'tick', 12)], { role: 'img', 'aria-label': text(`state_${progress}`) })];
}

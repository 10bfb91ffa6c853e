// Small tools to build elements. Text always goes in as text, never as markup.

const SVG = 'http://www.w3.org/2000/svg';

const PATHS = {
  send: 'M3 11.6 20.4 4 16 20.4l-4.3-6.2z',
  tick: 'M1.5 8.2 4.8 11.5 11 4.5',
  ticks: 'M1.5 8.2 4.8 11.5 11 4.5 M7.6 10.6 8.5 11.5 14.7 4.5',
  wait: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2 M8 5v3.3l2.2 1.3',
  right: 'M3 8h9 M8.6 4.4 12.4 8l-3.8 3.6',
  left: 'M13 8H4 M7.4 4.4 3.6 8l3.8 3.6',
  seal: 'M8 1.8 13 3.6v4c0 3-2 5.4-5 6.6-3-1.2-5-3.6-5-6.6v-4z M5.6 7.8l1.8 1.8 3-3.4',
};

/** An element with classes, text and children: make('p.note', 'words') or make('div.row', [child, child]). */
export function make(kind, content = [], attributes = {}) {
  const [tag, ...classes] = kind.split('.');
  const element = document.createElement(tag);
  element.className = classes.join(' ');
  element.append(...(Array.isArray(content) ? content : [String(content)]));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export function icon(name, size = 16) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', name === 'send' ? '0 0 24 24' : '0 0 16 16');
  svg.setAttribute('width', size);
  svg.setAttribute('height', size);
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon', `icon-${name}`);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

/**
 * Makes the children of *list* those of *items* ({key, version, build}), touching only what changed, so that nothing
 * flickers, loses its selection or closes itself.
 */
export function sync(list, items) {
  const old = new Map([...list.children].map((node) => [node.dataset.key, node]));
  let cursor = list.firstElementChild;
  for (const { key, version, build } of items) {
    let node = old.get(String(key));
    if (node?.dataset.version !== String(version)) {
      const fresh = build();
      Object.assign(fresh.dataset, { key, version });
      if (node) {
        fresh.classList.add('settled');
        if (cursor === node) cursor = fresh;
        node.replaceWith(fresh);
      }
      node = fresh;
    }
    old.delete(String(key));
    if (cursor === node) cursor = cursor.nextElementSibling;
    else list.insertBefore(node, cursor);
  }
  for (const node of old.values()) node.remove();
}

export const find = (id) => document.getElementById(id);

export const clockTime = (seconds, withSeconds = false) =>
  new Date(seconds * 1000).toLocaleTimeString('en-GB', {
    hour: '2-digit', minute: '2-digit', ...(withSeconds ? { second: '2-digit' } : {}),
  });

/** 3.21 → "3.2 ms", 4210 → "4.2 s". */
export const duration = (ms) => (ms < 999.5 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

// Small tools to build elements. Text always goes in as text, never as markup.

/** An element with classes, text and children: make('p.note', 'words') or make('div.row', [child, child]). */
export function make(kind, content = [], attributes = {}) {
  const [tag, ...classes] = kind.split('.');
  const element = document.createElement(tag);
  element.className = classes.join(' ');
  element.append(...(Array.isArray(content) ? content : [String(content)]));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** A button that does *act* when it is pressed. */
export function press(kind, content, act, attributes = {}) {
  const button = make(`button${kind}`, content, { type: 'button', ...attributes });
  button.addEventListener('click', () => act(button));
  return button;
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
        keepOpen(node, fresh);
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

function keepOpen(node, fresh) {
  fresh.classList.add('settled');
  const details = fresh.querySelector('details');
  if (details && node.querySelector('details')?.open) details.open = true;
  const focused = node.contains(document.activeElement) ? document.activeElement.dataset.choice : undefined;
  if (focused) requestAnimationFrame(() => fresh.querySelector(`[data-choice="${CSS.escape(focused)}"]`)?.focus());
}

/** Arrow keys move within a group of radios or tabs, and choose; only the chosen one is in the tab order. */
export function roving(group, chosen) {
  const buttons = [...group.children];
  for (const button of buttons) button.tabIndex = button.getAttribute(chosen) === 'true' ? 0 : -1;
  if (group.dataset.roving) return;
  group.dataset.roving = 'yes';
  group.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...group.children];
    const next = (all.indexOf(document.activeElement) + step + all.length) % all.length;
    all[next].click();
    group.children[next].focus();
  });
}

export const find = (id) => document.getElementById(id);

export const clockTime = (seconds, withSeconds = false) =>
  new Date(seconds * 1000).toLocaleTimeString('en-GB', {
    hour: '2-digit', minute: '2-digit', ...(withSeconds ? { second: '2-digit' } : {}),
  });

/** 3.21 → "3.2 ms", 4210 → "4.2 s". */
export const duration = (ms) => (ms < 999.5 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

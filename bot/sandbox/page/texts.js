// The language of the page, and its words.

import { EN } from './en.js';
import { ZH } from './zh.js';

const TABLES = { en: EN, zh: ZH };
let language = 'en';

export function chooseLanguage(wanted) {
  language = wanted in TABLES ? wanted : 'en';
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll('[data-label]')) element.setAttribute('aria-label', text(element.dataset.label));
}

export const currentLanguage = () => language;

/** The words of *key*; {0}, {1} are replaced by *values*. */
export function text(key, ...values) {
  const words = TABLES[language][key] ?? EN[key] ?? key;
  return values.length ? words.replace(/\{(\d)\}/gu, (_, index) => values[index] ?? '') : words;
}

export const known = (key) => key in EN;

/** Names of platforms hold hyphens, keys do not. */
export const platformText = (kind, platform) => text(`${kind}_${platform.replaceAll('-', '_')}`);

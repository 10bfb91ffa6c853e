// Every word of the page, in both languages. Keys are used as data-text="..." or through text().

const EN = {
  sandbox: 'Sandbox',
  claim: 'The platforms are played on this machine. The bot behind them is the real one.',
  paneSetup: 'Setup', paneChat: 'Chat', paneWire: 'Wire',
  platforms: 'Platform', customers: 'Customer', trouble: 'Make it hard',
  troubleNote: 'What platforms do to a bot in real life.',
  clear: 'Clear chats and journal',
  wire: 'On the wire',
  wireNote: 'What really went over HTTP, in order. Click a line to see it whole.',
  figureAck: 'webhook acknowledged', figureReply: 'answered after', figureCalls: 'calls by the bot',
  wireEmpty: 'Nothing yet. Write a message, and watch it travel.',
  placeholder: 'Write as the customer…', send: 'Send',
  shop: 'Example Shop', presenceWhatsapp: 'Business account', presenceWecom: 'App · Example Shop Ltd.',
  presenceDingtalk: 'Robot', presenceFeishu: 'Bot', presenceTelegram: 'bot', typing: 'typing…', group: 'After-sales group',
  hint_phone: 'phone number visible', hint_hidden: 'phone number hidden', hint_member: 'member', hint_private: 'in a private chat', hint_group: 'in a group, mentions the robot',
  redeliver: 'Deliver the last message again', redeliverNote: 'must not be answered twice',
  lost: 'Lose the next answer', lostNote: 'accepted and shown, then the line is cut',
  busy: 'Be busy once', busyNote: 'the platform refuses, for now',
  rate: 'Limit the rate once', rateNote: 'too many requests, says the platform',
  slow: 'Answer slowly once', slowNote: 'accepted at once, confirmed after 5 s',
  token: 'Invalidate the token', tokenNote: 'the bot must fetch a new one',
  session: 'Expire the session webhook', sessionNote: 'the bot must go through the API',
  armed: 'armed', done: 'done', nothingYet: 'write something first',
  message: 'signed webhook', encrypted: 'encrypted webhook', status: 'status webhook', check: 'URL check', delivery: 'delivery',
  call_send: 'send message', call_send_group: 'send to group', call_session: 'reply by session webhook', call_read: 'read receipt and typing',
  call_token: 'get access token', call_number: 'number details', call_typing: 'typing', call_unknown: 'unknown call',
  toBot: 'to the bot', toPlatform: 'to the platform', noAnswer: 'no answer', cut: 'cut',
  headers: 'Headers', asSent: 'As sent', readable: 'Readable', ciphered: 'Encrypted', clear_text: 'Decrypted', answer: 'Answer', answerEmpty: '(empty body)',
  signature: 'signature',
  notTaken: 'not accepted by the bot',
  disconnected: 'The sandbox does not answer. Trying again…',
  today: 'Today',
  localNote: 'The platform is played here. Nobody outside is written to.',
  chips: ['How long does shipping take?', 'Can I return something?', 'How can I track my order?', 'Which payment methods do you accept?', 'Can I get an invoice?', 'I want to talk to a human'],
};

const ZH = {
  sandbox: '沙盒',
  claim: '各平台由本机扮演，背后的机器人是真的。',
  paneSetup: '设置', paneChat: '聊天', paneWire: '线路',
  platforms: '平台', customers: '客户', trouble: '制造麻烦',
  troubleNote: '真实平台会对机器人做的事。',
  clear: '清空聊天与记录',
  wire: '线路上的真实内容',
  wireNote: '按顺序列出每一次 HTTP 往返，点开可看全文。',
  figureAck: '回调确认用时', figureReply: '客户收到回复', figureCalls: '机器人调用次数',
  wireEmpty: '还没有内容。发一条消息，看它怎样走完全程。',
  placeholder: '以客户身份输入…', send: '发送',
  shop: '示例商店', presenceWhatsapp: '商家账号', presenceWecom: '应用 · 示例商店有限公司',
  presenceDingtalk: '机器人', presenceFeishu: '机器人', presenceTelegram: '机器人', typing: '正在输入…', group: '售后群',
  hint_phone: '可见手机号', hint_hidden: '隐藏手机号', hint_member: '企业成员', hint_private: '私聊', hint_group: '在群里 @机器人',
  redeliver: '重复投递上一条消息', redeliverNote: '不应回答两次',
  lost: '丢失下一次应答', lostNote: '已接受并显示，随后断开连接',
  busy: '繁忙一次', busyNote: '平台暂时拒绝',
  rate: '限流一次', rateNote: '平台说请求过多',
  slow: '慢应答一次', slowNote: '立即接受，5 秒后才确认',
  token: '令牌失效', tokenNote: '机器人须重新获取',
  session: '会话 Webhook 过期', sessionNote: '机器人须改走 API',
  armed: '已就绪', done: '已完成', nothingYet: '请先发一条消息',
  message: '带签名的回调', encrypted: '加密回调', status: '状态回调', check: 'URL 校验', delivery: '第几次投递：',
  call_send: '发送消息', call_send_group: '发送到群', call_session: '会话 Webhook 回复', call_read: '已读与正在输入',
  call_token: '获取 access token', call_number: '号码信息', call_typing: '正在输入', call_unknown: '未知调用',
  toBot: '发往机器人', toPlatform: '发往平台', noAnswer: '无应答', cut: '断开',
  headers: '请求头', asSent: '原文', readable: '易读', ciphered: '密文', clear_text: '解密后', answer: '应答', answerEmpty: '（空）',
  signature: '签名',
  notTaken: '机器人未接受',
  disconnected: '沙盒没有应答，正在重试…',
  today: '今天',
  localNote: '平台由本机扮演，不会给任何真实用户发消息。',
  chips: ['多久能发货？', '怎么退货？', '怎么查询物流？', '支持哪些付款方式？', '可以开发票吗？', '我要找人工客服'],
};

const TABLES = { en: EN, zh: ZH };
let language = 'en';

export function chooseLanguage(wanted) {
  language = wanted in TABLES ? wanted : 'en';
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = text(element.dataset.text);
}

export const currentLanguage = () => language;

export const text = (key) => TABLES[language][key] ?? EN[key] ?? key;

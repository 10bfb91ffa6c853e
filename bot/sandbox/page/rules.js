// The platforms' rules that a bot can break, as sentences: [English, Chinese]; and common reasons of refusals.

import { currentLanguage } from './texts.js';

export const RULES = {
  answer_signature: ['The bot’s answer is not signed over the nonce of the address.', '机器人的应答没有按地址中的 nonce 签名。'],
  answer_to_feedback: ['Feedback may only be answered with an empty body.', '反馈事件只能以空包应答。'],
  answer_unreadable: ['The bot’s answer cannot be decrypted.', '机器人的应答无法解密。'],
  broken_webhook_crashed: ['A broken webhook must not make the bot fail.', '残缺的回调不应使机器人出错。'],
  callback_data_too_long: ['biz_opaque_callback_data takes at most 512 characters.', 'biz_opaque_callback_data 最多 512 个字符。'],
  caption_where_none_is: ['This kind of file has no caption.', '这种文件没有说明文字。'],
  card_answer_late: ['A tap on a card must be answered within 2 seconds.', '卡片点击须在 2 秒内应答。'],
  card_answer_wrong: ['The answer to a tap must be JSON.', '卡片点击的应答须为 JSON。'],
  card_update_wrong: ['The answer to a tap may only update the card.', '卡片点击只能以更新卡片应答。'],
  card_value_not_a_string: ['Every variable of a card must be a string.', '卡片变量的值必须都是字符串。'],
  card_wrong: ['The card is not built as the platform wants it.', '卡片的结构不符合平台要求。'],
  challenge_not_echoed: ['The URL check wants the challenge back, and nothing else.', 'URL 校验须原样返回 challenge，不多不少。'],
  choices_not_unique: ['Ids of choices, and titles of buttons, must differ.', '选项的 id 与按钮标题不得重复。'],
  download_without_token: ['A download needs the access token.', '下载文件须带 access token。'],
  dropped_silently: ['Too many messages to one member: the platform drops them without a word.', '发给同一成员的消息过多，平台会悄悄丢弃。'],
  echostr_not_echoed: ['The URL check wants the decrypted echostr back.', 'URL 校验须返回解密后的 echostr。'],
  empty_media: ['The file is empty.', '文件是空的。'],
  empty_text: ['The text is empty.', '文本为空。'],
  event_answer_late: ['An event must be answered within 2.5 seconds.', '事件须在 2.5 秒内应答。'],
  event_answer_wrong: ['An event is answered with the encrypted word “success”.', '事件须以加密的 success 应答。'],
  file_name: ['The file’s name is not allowed.', '文件名不符合要求。'],
  foreign_media: ['The file belongs to another number.', '文件属于另一个号码。'],
  forged_webhook_accepted: ['A forged webhook was accepted.', '接受了伪造的回调。'],
  image_before_the_end: ['Pictures may only come with the end of a stream.', '图片只能随流式消息的结尾发送。'],
  image_by_socket: ['The long connection takes no pictures in an answer.', '长连接的回答不支持图片。'],
  image_wrong: ['The picture’s format, size or checksum is wrong.', '图片的格式、大小或校验值不对。'],
  keyword_missing: ['The robot’s keyword is missing from the text.', '文本缺少机器人的关键词。'],
  media_too_large: ['The file is larger than the platform takes.', '文件超过平台上限。'],
  mention_without_effect: ['A mention needs @ and the name in the text.', '@ 人时文本里也要有对应的 @。'],
  message_without_answer: ['The first answer to a message must open a stream.', '对消息的首个应答须开启流式消息。'],
  msgparam_no_string: ['msgParam must be a string that holds JSON.', 'msgParam 须为 JSON 字符串。'],
  old_version: ['This version of the API does not exist (any more).', '该 API 版本不存在或已停用。'],
  over_the_budget: ['More than five messages since the customer wrote.', '客户发言后已超过五条消息。'],
  oversized_webhook_accepted: ['An oversized webhook was accepted.', '接受了超大的回调。'],
  parameter_invalid: ['A parameter has a wrong value.', '某个参数的值不对。'],
  parameter_missing: ['A parameter is missing.', '缺少参数。'],
  passive_reply_wrong: ['The reply within the callback is wrong.', '回调内的被动回复有误。'],
  read_of_unknown_message: ['A read receipt for a message that does not exist.', '给不存在的消息发送了已读。'],
  stream_after_its_end: ['The stream had ended already.', '流式消息已经结束。'],
  stream_ended_empty: ['A stream ended without a word.', '流式消息未说一字就结束。'],
  stream_id_changed: ['The stream’s id changed on the way.', '流式消息的 id 中途变了。'],
  stream_id_missing: ['The stream has no id.', '流式消息没有 id。'],
  stream_never_finished: ['The stream was never finished.', '流式消息始终没有结束。'],
  stream_not_cumulative: ['Each update must hold the whole text so far.', '每次更新须包含到目前为止的全文。'],
  stream_not_full: ['A streamed markdown variable wants the whole text (isFull).', '流式 markdown 变量须传全文（isFull）。'],
  template_wrong: ['The template does not fit what was registered.', '模板与登记的不符。'],
  text_cut: ['The text was cut: 2,048 bytes are shown.', '文本被截断：只显示 2048 字节。'],
  title_missing: ['A title is missing.', '缺少标题。'],
  token_fetched_too_often: ['Tokens were fetched too often: keep them until they expire.', '获取令牌过于频繁，应缓存到过期。'],
  token_given_away: ['The token went to an address that is not the platform’s.', '令牌被发给了非平台的地址。'],
  too_fast: ['Faster than the platform’s limit.', '超过平台的频率限制。'],
  too_long: ['Longer than the platform takes.', '超过平台的长度上限。'],
  too_many_choices: ['More choices than the platform shows.', '选项数超过平台上限。'],
  too_many_images: ['More pictures than an answer takes.', '图片数超过一次回答的上限。'],
  too_many_users: ['More receivers than one call takes.', '接收人数超过一次调用的上限。'],
  unknown_card: ['There is no such card.', '没有这张卡片。'],
  unknown_endpoint: ['The platform has no such endpoint.', '平台没有这个接口。'],
  unknown_media: ['There is no such file.', '没有这个文件。'],
  unknown_type: ['The platform has no such kind of message.', '平台没有这种消息类型。'],
  webhook_not_acknowledged: ['The webhook was not acknowledged.', '回调没有得到确认。'],
  welcome_wrong: ['The welcome must be a text or a card.', '欢迎语须为文本或卡片。'],
  wrong_account: ['The account is another’s.', '账号不对。'],
  wrong_agent_id: ['The app’s id is missing, or another’s.', '应用 id 缺失或不对。'],
  wrong_conversation: ['The robot is not in this conversation.', '机器人不在该会话中。'],
  wrong_file_type: ['This kind of file is not taken.', '不接受这种文件。'],
  wrong_key: ['The key is wrong.', '密钥不对。'],
  wrong_robot_code: ['The robot’s code is missing, or another’s.', 'robotCode 缺失或不对。'],
  wrong_signature: ['The signature is wrong.', '签名不对。'],
  wrote_over_a_human: ['A colleague has the chat: the bot must be silent.', '会话由人工接待，机器人须保持安静。'],
};

const REASONS = [
  [/^played fault: accepted and shown, then hung up/u, 'Fault played: accepted and shown, then hung up without an answer.', '模拟故障：已接受并显示，未应答就断开。'],
  [/^played fault: hung up before/u, 'Fault played: hung up before accepting.', '模拟故障：接受之前就断开。'],
  [/^played fault: answered (\d+)/u, 'Fault played: answered {1}.', '模拟故障：应答 {1}。'],
  [/^played fault: accepted, answered ([\d.]+) s late/u, 'Fault played: accepted, answered {1} s late.', '模拟故障：已接受，{1} 秒后才应答。'],
  [/token has expired|access_token expired|invalid access_token|不合法的access_token|Invalid access token|InvalidAuthentication/u, 'The token is not valid (any more): the bot must fetch a new one.', '令牌无效或已过期，机器人须重新获取。'],
  [/token was invalidated|\b401\b.*Unauthorized|^Unauthorized/u, 'The token was revoked.', '令牌已被作废。'],
  [/not allow to access from your ip/u, 'The bot’s address is not on the list of trusted IPs.', '机器人的 IP 不在可信名单中。'],
  [/24 hours|Re-engagement|window/iu, 'The 24-hour window is closed: only templates may be sent.', '24 小时窗口已关闭，只能发送模板。'],
  [/more than 48 hours/u, 'The 48-hour window is closed.', '48 小时窗口已关闭。'],
  [/more than 5 messages/u, 'More than five messages since the customer wrote.', '客户发言后已超过五条消息。'],
  [/[Rr]ate limit|QpsLimit|too many calls|freq out of limit|concurrent out of limit|Too Many Requests|frequency limit|send too fast|calls a second/u, 'Too fast for the platform’s limit.', '超过平台的频率限制。'],
  [/session 不存在|300001/u, 'The session webhook expired.', '会话 Webhook 已过期。'],
  [/duplicate: |duplicate msgid/u, 'The same message again: not shown a second time.', '重复的消息，没有再次显示。'],
  [/response_code was used/u, 'The address for the answer was used already, or is too old.', '应答地址已用过或已过期。'],
  [/address lived five minutes/u, 'The file’s address has expired.', '文件地址已过期。'],
  [/service_state|session state/u, 'The session is not the bot’s (any more).', '会话已不属于机器人。'],
  [/^truncated: (\d+) bytes, (\d+) shown/u, 'Cut: {1} bytes sent, {2} shown.', '被截断：发送 {1} 字节，显示 {2} 字节。'],
  [/chat not found|all receivers are invalid|external_userid|not a WhatsApp user|staffId.notExisted|nobody there/u, 'There is no such customer.', '没有这位客户。'],
];

const column = () => (currentLanguage() === 'zh' ? 1 : 0);

/** The rule as a sentence; a word that is not in the table, as words. */
export const ruleSentence = (rule) => RULES[rule]?.[column()] ?? rule.replaceAll('_', ' ');

/** A refusal's reason as a sentence, or "" where only the platform's own words say it. */
export function reasonSentence(reason) {
  for (const [pattern, ...sentences] of REASONS) {
    const match = pattern.exec(reason);
    if (match) return sentences[column()].replace(/\{(\d)\}/gu, (_, index) => match[index]);
  }
  return '';
}

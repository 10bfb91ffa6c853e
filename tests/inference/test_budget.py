"""The estimate against counts that were measured with two real vocabularies."""

import pytest

from inference.budget import PER_MESSAGE, text_tokens, tokens
from inference.values import ChatMessage

MEASURED = [  # text, tokens of o200k_base (gpt-oss), tokens of DeepSeek-V3's vocabulary
    ("Can I change the delivery address? I moved last week and the parcel must not go to my old flat.", 22, 22),
    ("付款后 48 小时内发货，国内一般 2 至 5 个工作日送达，偏远地区可能再多两三天。", 33, 28),
    ("您好，我上周在你们店里买了一双运动鞋，尺码偏小，请问可以换大一码吗？运费由谁承担？", 33, 29),
    ("請問訂單已經出貨了嗎？我想更改收件地址，謝謝您的協助。", 25, 18),
    ("订单 A1024-9983 的快递单号是 SF1380013800001，麻烦帮我查一下物流，谢谢！", 29, 28),
    ("https://shop.example.com/orders/A1024-9983?ref=mail&utm_source=newsletter", 21, 23),
    (
        "- **Step 1**: open `My orders`\n- **Step 2**: choose *Return*\n\n1. Print the label\n2. Send it back",
        34,
        32,
    ),
    ("注文した商品がまだ届きません。配送状況を教えていただけますか？", 20, 20),
    ("주문한 상품이 아직 도착하지 않았어요. 배송 상황을 알려 주세요.", 18, 25),
    ("Здравствуйте, где мой заказ? Я оплатил его неделю назад.", 13, 21),
    ("مرحبا، أين طلبي؟ لقد دفعت قبل أسبوع.", 13, 19),
    ("สวัสดีครับ สินค้าของฉันอยู่ที่ไหน สั่งไปเมื่อสัปดาห์ก่อน", 23, 23),
    ("Où est ma commande ? Elle a été expédiée à l'ancienne adresse, n'est-ce pas ?", 23, 27),
    ("👍👍 好的😀🎉 thanks!!! ❤️", 10, 13),
    ("4111 1111 1111 1111, 2026-11-20 14:05, ¥1,299.00", 30, 30),
    ("XKCD-AAQZ-PPLW-0099", 12, 13),
    ('{"order": "A1024", "items": [{"sku": "B-7", "qty": 2}], "paid": true}', 30, 33),
]


@pytest.mark.parametrize(("text", "gpt_oss", "deepseek"), MEASURED)
def test_the_estimate_is_never_too_low(text: str, gpt_oss: int, deepseek: int) -> None:
    assert text_tokens(text) >= max(gpt_oss, deepseek)


@pytest.mark.parametrize(("text", "gpt_oss", "deepseek"), MEASURED[:9])
def test_the_estimate_wastes_at_most_half_of_the_budget(text: str, gpt_oss: int, deepseek: int) -> None:
    assert text_tokens(text) <= 2.1 * max(gpt_oss, deepseek)


def test_a_message_costs_its_frame_too() -> None:
    assert tokens([ChatMessage(role="user", content="")] * 3) == 3 * PER_MESSAGE


def test_an_empty_text_costs_nothing_and_a_broken_one_does_not_stop_it() -> None:
    assert text_tokens("") == 0
    assert text_tokens("\ud83d") > 0

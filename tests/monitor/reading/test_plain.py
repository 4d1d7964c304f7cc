"""What the scorer reads: hidden words come out, and nothing else changes."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.reading.plain import plain

HIDDEN = {
    "signs for letters": [
        ("k1ll them", "kill them"),
        ("sh00t the cops", "shoot the cops"),
        ("K1LL K1ller", "KILL Killer"),
        ("y0u w1ll d1e", "you will die"),
        ("r@pe and bl00d", "rape and blood"),
        ("an @ssault, then an @ttack", "an assault, then an attack"),
        ("4ttack with gun$", "attack with guns"),
    ],
    "letters apart": [
        ("k i l l him", "kill him"),
        ("I k i l l  t h e m", "I kill them"),
        ("k.i.l.l", "kill"),
        ("s-h-o-o-t", "shoot"),
        ("he will k_i_l_l", "he will kill"),
        ("H-A-T-E", "HATE"),
        ("ki.ll and mur-der", "kill and murder"),
    ],
    "other alphabets": [
        ("кіll", "kill"),
        ("flοoded", "flooded"),
        ("ΒIRMINGHAM", "BIRMINGHAM"),
        ("ｋｉｌｌ", "kill"),
        ("𝐤𝐢𝐥𝐥 𝐈 𝓼𝓪𝓲𝓭", "kill I said"),
        ("k𝐢ll", "kill"),
        ("ᴋɪʟʟ", "kill"),
        ("🅺🅸🅻🅻", "KILL"),
        ("h🅰️te", "hate"),
    ],
    "signs nobody sees": [
        ("ki\u200bll", "kill"),
        ("s\u00adhoot", "shoot"),
        ("\ufeffkill\u2060 them", "kill them"),
        ("k\u0336i\u0336l\u0336l\u0336", "kill"),
    ],
    "masks": [("k*ll", "kill"), ("sh**t", "shoot"), ("m*rder", "murder"), ("d*e", "die")],
    "letters drawn out": [
        ("killlll him", "kill him"),
        ("soooon goooood toooo freeee gooo mannn", "soon good too free go man"),
        ("kill the jeeeews", "kill the jews"),
        ("k1lllll", "kill"),
    ],
    "hashtags": [
        ("#BurnItDown", "Burn It Down"),
        ("now #burnitdown!", "now burn it down!"),
        ("#STOPTHESTEAL", "STOP THE STEAL"),
        ("#FBICorruption", "FBI Corruption"),
        ("#lock_her_up", "lock her up"),
        ("#Trump2016", "Trump 2016"),
        ("#IStandWithHim", "I Stand With Him"),
    ],
    "escaped": [
        ("rock &amp;amp; roll &lt;3", "rock & roll <3"),
        ("k&#105;ll &#x6b;ill", "kill kill"),
        ("k&shy;ill", "kill"),
    ],
    "white space": [("a  b\t\n c\u00a0d", "a b\nc d")],
    "one trick in another": [("k&#8203;1&amp;#8203;lllll", "kill"), ("к1ll", "kill")],
}

ORDINARY = """
The bus leaves at 7:30 and the next one at 19:45.
She came 2nd, he came 3rd and I was 21st.
I am 100% sure that we are open 24/7.
Our B2B sales and the B-52 fly on.
Take the M4 to Reading, then the A34.
Those who write 1488 or 88 mean something by it.
He came on an H1B visa; she has a J-1.
The film is in 3D and 4K on the PS5.
We both had covid19, once before the omicron wave.
Write to jane.doe+news@example.co.uk or to k1ll@example.org.
See https://example.org/k1ll/sh00t?a=k*ll#BurnItDown for more.
See www.k.i.l.l.example/sh00t too.
Thanks to @k1ller_99 and @sh00t for this.
It costs $5, $1,299.99 or about €20.
The U.S. and the U.K. signed; the U.S.A. and the U.N. did not.
The F.B.I. and the C.I.A. refused, said the D.A.R.E. officer.
J. K. Rowling and J.R.R. Tolkien wrote it.
Pick a b c or d, then x y z.
Vitamin A, B and C; plan A or plan B.
for i in range(10): total += a[i] * b[i]
x = y**2 + z_1; if (a && b) || c: return f(x)
int main(void) { return *p->next; }
He said *never* and **always** and _maybe_.
5* hotel, 4* food, rated 8/10.
2*3*4 is 24 and a*b*c is a product.
World War III, Henry VIII, WWIII and Super Bowl XXXIII.
The KKK, the AAA, the IEEE, the CCCP and the NAACP.
Zzz, hmm, aaa battery, www and xxx.
Why?! No!!! Wait... what???
Hello! Is anybody there? Yes! I'm here.
sh*t happens, and n*gga please; f*ck that, c**t.
What a b*tch of a day, p***y.
Llanfair, vacuum, bookkeeper, committee, Mississippi.
Wi-Fi, e-mail, T-shirt, x-ray, co-op, self-made.
He is a well-known, twenty-year-old left-hander.
#London is lovely, #Kenya too, and we are #1.
Issue #123 and PR #4567; the colour #ff0000.
#iPhone or #YouTube or #Brexit?
AT&T, R&D, Q&A and Marks & Spencer.
C# and F# and C++ are languages.
AK-47, AR-15, C4, TNT, 9mm, .45 and M16s.
G20, G7, P5+1, F-16 and MI5 met.
Boeing 747, A380, iOS17 and Windows11.
Type 1 diabetes, HbA1c, A1C, B12 and CO2.
TGFβ and NFκB with IFNγ; 5 μm, 3 kΩ.
The function 𝑓(𝑥) of ℝ is ℕ; E = mc².
The 1ˢᵗ and 2ⁿᵈ.
El niño comió piñas en España, ¿verdad?
Übergrößenträger, façade, naïve, Zoë, Łódź, kılıç.
Москва и Киев, как дела, друзья? Сегодня в 7:30.
Привет, WhatsApp работает, а IT-отдел нет.
Η Αθήνα είναι ωραία πόλη σήμερα.
مرحبا بالعالم، كيف حالك اليوم؟
می‌خواهم به خانه بروم
हिन्दी में क्‍या हाल है
我今天去北京，用iPhone拍照。
日本語のＮＨ放送です、ＡＢ型。
안녕하세요 여러분
שלום לכולם
❤️ 👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 1️⃣ 🇰🇪 👍🏽 🤷‍♀️ 🅰️
“Quoted” – and ‘so on’… with dashes—here.
Don't you'd've rock'n'roll, y'all?
Meet me at 5pm/6pm on 10/12/2024, 2024-12-10.
It scored 3-2, then 10-9; 50/50 odds.
10k people, 5m views, 90s music, 4x4, 1080p.
The kill switch was shot; I could murder a curry.
Ke$ha, A$AP Rocky, R2D2, C-3PO, 2Pac and 4chan.
a11y, i18n, k8s, utf8, base64, sha256, x86_64.
550e8400-e29b-41d4-a716-446655440000 is the id.
192.168.0.1 and fe80::1 and 10.0.0.0/8.
The attack5 was reported in footnote 5; weapon1.
W A S D keys, A E I O U vowels, E G B D F lines.
""".strip().splitlines()


@pytest.mark.parametrize(
    ("text", "read"), [pair for pairs in HIDDEN.values() for pair in pairs], ids=ascii
)
def test_what_was_hidden_is_read(text: str, read: str) -> None:
    assert plain(text).text == read


def test_enough_ordinary_sentences() -> None:
    assert len(ORDINARY) >= 60


@pytest.mark.parametrize("text", ORDINARY, ids=ascii)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    read = plain(text)
    assert read.text == text
    assert read.places == list(range(len(text)))


@pytest.mark.parametrize(
    ("text", "word", "original"),
    [
        ("we k1ll them", "kill", "k1ll"),
        ("we k i l l them", "kill", "k i l l"),
        ("we killlll them", "kill", "killlll"),
        ("they killlll", "kill", "killlll"),
        ("so ki\u200bll &amp; run", "&", "&amp;"),
        ("run &amp;", "&", "&amp;"),
        ("do #BurnItDown now", "Burn", "Burn"),
        ("do #burnitdown now", "it", "it"),
        ("  spaced   out", "out", "out"),
    ],
)
def test_a_span_shows_where_it_stands_in_the_original(text: str, word: str, original: str) -> None:
    read = plain(text)
    start = read.text.index(word)
    first, end = read.span(start, start + len(word))
    assert text[first:end] == original


tricky = st.text(
    st.one_of(
        st.sampled_from("kilshotkilshotburnaeKILL01345@$!|*.-_ #&;ab\n\t\u200b\ufe0fкіο𝐤𝐢🅰🔥'"),
        st.characters(exclude_categories=()),
    ),
    max_size=60,
) | st.lists(
    st.sampled_from(
        [
            *("k1ll", "&amp;", "&#107;", "#BurnIt", "k i", " l l", "sh**t", "@ttack", "https://"),
            *(
                "\u200b",
                "🅰️",
                "к",
                "𝐢",
                ".",
                "-",
                " ",
                "  ",
                "kill",
                "them",
                "I",
                "\ud800",
                "é",
                "*",
            ),
        ]
    )
).map("".join)


@given(tricky)
@example("&amp;amp;#38;amp;")
@example("\ud800k1ll\udfff")
def test_places_are_in_order_and_reading_twice_reads_the_same(text: str) -> None:
    read = plain(text)
    assert len(read.places) == len(read.text)
    assert read.places == sorted(read.places)
    assert all(0 <= place < len(text) for place in read.places)
    assert plain(read.text).text == read.text


@given(tricky, st.data())
def test_a_span_is_never_empty_nor_outside(text: str, data: st.DataObject) -> None:
    read = plain(text)
    start = data.draw(st.integers(0, len(read.text)))
    end = data.draw(st.integers(start, len(read.text)))
    first, last = read.span(start, end)
    assert 0 <= first <= last <= len(text)
    assert (first < last) == (start < end)


@given(st.lists(st.sampled_from(["we", "will", "meet", "near", "the", "river", "and", "sing"])))
def test_plain_words_point_to_themselves(words: list[str]) -> None:
    text = " ".join(words)
    read = plain(text)
    start = 0
    for word in words:
        assert read.span(start, start + len(word)) == (start, start + len(word))
        start += len(word) + 1


@pytest.mark.parametrize(
    "piece",
    [
        *("k i l l ", "k.", "a ", "sh**t ", "k1", "@", "&amp;", "#burnitdown", "aaabbbccc ", "аa"),
        *("kill-", "\u200b🔥", "a.b@", "𝐤a ", "#aB", "*", "1111a ", " \n", "🅰️"),
    ],
    ids=ascii,
)
def test_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    plain(piece)  # the words are read from disk once
    short, long = (_steps((piece * 4_000)[:length]) for length in (1_000, 4_000))
    assert long < 5 * short + 1_000


def _steps(text: str) -> int:
    """How many lines of Python run for one reading: no clock, so that it never flickers."""
    count = 0

    def counted(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return counted

    before = sys.gettrace()
    sys.settrace(counted)
    try:
        plain(text)
    finally:
        sys.settrace(before)
    return count

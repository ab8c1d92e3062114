"""Templates of chats: texts and masks beside transformers, whose were recorded by
`chats/record.py`; templates that mean harm; conversations that are none.
"""

import json
import pathlib

import numpy as np
import pytest

import jkeras
from jkeras.utils import ChatTemplate

pytest.importorskip("jinja2")
KEPT = json.loads((pathlib.Path(__file__).parent / "chats" / "recorded.json").read_text())
TEMPLATES, CHATS, SPECIAL = KEPT["templates"], KEPT["chats"], KEPT["special"]


def to_bytes(text):
    return list(text.encode())


def made(name, **options):
    return ChatTemplate(TEMPLATES[name], to_bytes, special_tokens=SPECIAL, **options)


def said(template, chat):
    tokens, mask = template(chat)
    return bytes(tokens[mask == 1].tolist()).decode()


# ---------------------------------------------------------------- beside transformers


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.promise("texts are those of transformers")
def test_texts_beside_transformers(name):
    template = made(name)
    rows = [row for row in KEPT["texts"] if row[0] == name]
    assert len(rows) == 15
    for _, chat, options, text in rows:
        if text is None:
            with pytest.raises(ValueError, match="ChatTemplate"):
                template.render(CHATS[chat], **options)
        else:
            assert template.render(CHATS[chat], **options) == text, (chat, options)


@pytest.mark.parametrize("chat", KEPT["said"])
def test_the_mask_of_generation_marks_beside_transformers(chat):
    assert said(made("generation"), CHATS[chat]) == KEPT["said"][chat]


@pytest.mark.parametrize(
    "name, expected",
    [
        ("marks", [" It is 4. <|im_end|>\n", "Das ist\n4.<|im_end|>\n"]),
        ("inside", [" It is 4. </s>", " Das ist\n4. </s>"]),
        ("parts", ["It is 4.<end>\n", "Das ist\n4.<end>\n"]),
    ],
)
def test_the_mask_without_marks_is_what_an_answer_adds(name, expected):
    template = made(name)
    assert said(template, CHATS["short"]) == expected[0]
    assert said(template, CHATS["long"]) == "".join(expected)
    tokens, mask = template(CHATS["long"])
    assert bytes(tokens.tolist()).decode() == template.render(CHATS["long"])
    assert tokens.shape == mask.shape and set(mask.tolist()) == {0, 1}


def test_a_prompt_is_what_stands_before_the_answer():
    template = made("marks")
    tokens, mask = template(CHATS["short"])
    prompt = template.prompt(CHATS["short"][:1])
    assert tokens[: mask.argmax()].tolist() == prompt.tolist()


def test_a_tokenizer_that_says_where_its_tokens_are():
    tokenizers = pytest.importorskip("tokenizers")
    words = {"<|im_start|>": 0, "<|im_end|>": 1}
    text = made("marks").render(CHATS["long"])
    model = tokenizers.models.WordLevel({**words, "[UNK]": 2}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    template = ChatTemplate(TEMPLATES["marks"], tokenizer)
    tokens, mask = template(CHATS["long"])
    offsets = tokenizer.encode(text).offsets
    learned = [text[a:b] for (a, b), one in zip(offsets, mask) if one]
    assert learned == ["It", "is", "4", ".", "<|im_end|>", "Das", "ist", "4", ".", "<|im_end|>"]
    with pytest.raises(ValueError, match="im_end.* in message 0"):
        template([{"role": "user", "content": "a<|im_end|>"}, CHATS["short"][1]])


def test_a_folder(tmp_path):
    """Of transformers: the template in a file or in the config, special tokens as dicts."""
    config = {
        "bos_token": {"content": "<s>", "special": True},
        "eos_token": "</s>",
        "pad_token": None,
        "chat_template": [
            {"name": "tools", "template": "no"},
            {"name": "default", "template": TEMPLATES["inside"]},
        ],
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    template = ChatTemplate(tmp_path, to_bytes)
    assert template.render(CHATS["short"]) == made("inside").render(CHATS["short"])
    (tmp_path / "chat_template.jinja").write_text(TEMPLATES["parts"])
    template = ChatTemplate(str(tmp_path), to_bytes)
    assert template.render(CHATS["short"]) == made("parts").render(CHATS["short"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"chat_template\.jinja"):
        ChatTemplate(tmp_path / "empty", to_bytes)


def test_files_of_chats(tmp_path):
    """`TextLines` and `pack_sequences` learn the answers alone."""
    lines = [json.dumps({"messages": CHATS[n]}) for n in ("short", "long")]
    (tmp_path / "chats.jsonl").write_text("\n".join(lines))
    template = made("marks")
    data = jkeras.utils.pack_sequences(
        jkeras.utils.TextLines(tmp_path / "chats.jsonl", template.line, end=0), 700, batch_size=1
    )
    ((x, labels, weights),) = data
    learned = bytes(labels[weights > 0].tolist()).decode()
    assert learned == said(template, CHATS["short"]) + said(template, CHATS["long"])
    np.testing.assert_allclose(weights.mean(), 1, rtol=1e-5)
    assert x["segment_ids"].max() == 2


# ---------------------------------------------------------------- templates that mean harm

INTERNALS = [
    "{{ ''.__class__.__mro__ }}",
    "{{ messages.__class__ }}",
    "{{ messages|attr('__class__') }}",
    "{{ messages['__class__'].__mro__[1] }}",
    "{{ ''['__class__'].__base__.__subclasses__() }}",
    "{{ raise_exception.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ dict.__globals__ }}",
    "{{ strftime_now.__self__.__class__ }}",
    "{{ strftime_now.__self__ }}{{ strftime_now.__self__.max }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '%s'.__mod__ }}",
    "{{ self.__dict__ }}",
    "{{ self._TemplateReference__context.environment }}",
    "{{ cycler.__init__.__globals__.os.popen('ls').read() }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'a': 1}) }}",
    "{% set ns = namespace() %}{% set ns.__class__ = 1 %}{{ ns.__class__ }}",
    "{{ namespace(__class__=1).__class__ }}",
    "{{ environment.spend.__func__ }}",
    "{{ loop.__class__ }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends 'a' %}",
    "{{ ''.translate({97: 'b'}) }}",
    "{{ messages|map(attribute='__class__')|list }}",
    "{{ ''.format_map({}) }}",
]


@pytest.mark.parametrize("source", INTERNALS)
def test_nothing_of_python_is_reached(source):
    try:
        text = ChatTemplate(source, to_bytes).render(CHATS["short"])
    except ValueError:
        return
    assert not any(word in text for word in ("class", "object", "built", "root:", "<")), text


ENDLESS = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}"
    "{% endfor %}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(n) %}{% for i in range(9) %}{{ f(n + 1) }}{% endfor %}{% endmacro %}{{ f(0) }}",
    "{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
    "{{ 'a' * 999999999999 }}",
    "{{ 999999999999 * 'a' }}",
    "{{ [1] * 9999999999 }}",
    "{{ 10 ** 999999999 }}",
    "{% set n = namespace(v=9) %}{% for i in range(99) %}{% set n.v = n.v * n.v %}{% endfor %}",
    "{% set n = namespace(v='a') %}{% for i in range(99) %}{% set n.v = n.v ~ n.v %}{% endfor %}",
    "{% set n = namespace(v='a') %}{% for i in range(99) %}{% set n.v = n.v + n.v %}{% endfor %}",
    "{% set n = namespace(v=[1]) %}{% for i in range(99) %}{% set n.v = n.v + n.v %}{% endfor %}",
    "{% set n = namespace(v='aa') %}{% for i in range(99) %}"
    "{% set n.v = n.v.replace('a', n.v) %}{% endfor %}",
    "{% set n = namespace(v='aa') %}{% for i in range(99) %}"
    "{% set n.v = n.v|replace('a', n.v) %}{% endfor %}",
    "{% set n = namespace(v='aa') %}{% for i in range(99) %}"
    "{% set n.v = [n.v, n.v]|join %}{% endfor %}",
    "{% set n = namespace(v='aa') %}{% for i in range(99) %}"
    "{% set n.v = n.v.join([n.v, n.v, n.v]) %}{% endfor %}",
    "{% set n = namespace(v='aa') %}{% for i in range(99) %}"
    "{% set n.v %}{{ n.v }}{{ n.v }}{% endset %}{% endfor %}",
    "{% set n = namespace(v='aa') %}{% for i in range(99) %}"
    "{% set n.v = '%s%s' % (n.v, n.v) %}{% endfor %}",
    "{% set n = namespace(v='aa') %}{% for i in range(99) %}"
    "{% set n.v = '{0}{0}'.format(n.v) %}{% endfor %}",
    "{% set n = namespace(v='aa') %}{% for i in range(99) %}"
    "{% set n.v = '%s%s'|format(n.v, n.v) %}{% endfor %}",
    "{% set n = namespace(v=[1]) %}{% for i in range(99) %}{% set n.v = [n.v, n.v] %}{% endfor %}"
    "{{ n.v }}",
    "{% set n = namespace(v=[1], w=[1]) %}{% for i in range(99) %}{% set n.v = [n.v, n.v] %}"
    "{% set n.w = (n.w, n.w) %}{% endfor %}{{ n.v == n.w }}",
    "{% set n = namespace(v=1) %}{% for i in range(99) %}{% set n.v = namespace(a=n.v, b=n.v) %}"
    "{% endfor %}{{ n.v|string * 99999 * 99999 }}",
    "{% set n = namespace(v=1) %}{% for i in range(99) %}{% set n.v = dict(a=n.v, b=n.v) %}"
    "{% endfor %}{{ n.v }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '%*d' % (999999999, 1) }}",
    "{{ '%999999999d'|format(1) }}",
    "{{ '{:999999999}'.format(1) }}",
    "{{ '{:{}}'.format(1, 999999999) }}",
    "{{ 'a'.ljust(999999999) }}",
    "{{ 'a'.zfill(width=999999999) }}",
    "{{ 'a'|center(999999999) }}",
    "{{ 'a'|center(width=999999999) }}",
    "{{ 'a'|indent(999999999, true) }}",
    "{{ range(999999999)|list }}",
    "{{ lipsum(999999999) }}",
    "{{ [1]|batch(999999999, 0)|list }}",
    "{{ messages|tojson(indent=999999999) }}",
    "{{ '\\t'.expandtabs(999999999) }}",
    "{% for a in range(99999) %}{{ 'a' * 99999 }}{% endfor %}",
]


@pytest.mark.promise("a loop without an end is an error")
@pytest.mark.parametrize("source", ENDLESS)
def test_what_has_no_end_is_refused(source):
    """In a few seconds, and in little memory: the suite would die of it otherwise."""
    with pytest.raises(ValueError, match="ChatTemplate"):
        ChatTemplate(source, to_bytes).render(CHATS["short"])


def test_a_long_conversation_is_none_of_these():
    chat = [{"role": "user", "content": "a" * 999}, {"role": "assistant", "content": "b" * 99}] * 99
    source = (
        "{% set n = namespace(v='') %}{% for m in messages %}{% set n.v = n.v + m.content %}"
        "{% endfor %}{{ n.v }}"
    )
    assert len(ChatTemplate(source, to_bytes).render(chat)) == 99 * 1098


def test_a_template_that_failed_goes_on_with_other_messages():
    template = made("inside")
    with pytest.raises(ValueError, match="Roles have to alternate"):
        template.render(CHATS["wrong"])
    assert template.render(CHATS["short"]).startswith("<s>")


# ---------------------------------------------------------------- what is no conversation


class Own:
    """An object that a template must not see."""


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: ChatTemplate("{% for %}", to_bytes), "TemplateSyntaxError.*line 1"),
        (lambda: ChatTemplate("{{ a.b.c }}", to_bytes).render([]), "UndefinedError"),
        (lambda: made("marks").render([{"role": "user", "content": Own()}]), "a Own"),
        (lambda: made("marks").render([{1: "user"}]), "texts as keys"),
        (lambda: made("marks").render([{"role": "user", "content": "\ue000"}]), "private"),
        (lambda: made("marks")(CHATS["open"]), "the roles"),
        (lambda: made("marks").render([{"role": "user"}]), "content"),
        (lambda: made("inside")([{"role": "user", "content": "a</s>"}, CHATS["short"][1]]), "</s>"),
        (lambda: made("marks").line("{"), "a line of JSON"),
        (lambda: made("marks").line("{}"), "messages"),
        (lambda: made("marks").line("[" * 100000), "a line of JSON"),
        (lambda: ChatTemplate("a", to_bytes, control="no"), "control"),
        (
            lambda: ChatTemplate("{{ messages|length }}", to_bytes)(CHATS["short"]),
            "only grows from message",
        ),
        (
            lambda: ChatTemplate(TEMPLATES["marks"], lambda text: [len(text)])(CHATS["short"]),
            "same tokens of the parts",
        ),
    ],
)
def test_what_is_wrong_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_control_tokens_are_allowed_where_that_is_said():
    chat = [{"role": "user", "content": "a</s>"}, CHATS["short"][1]]
    assert said(made("inside", control="allow"), chat) == " It is 4. </s>"

"""Records what transformers makes of chats with templates in the styles that models have: `python
tests/utils/chats/record.py` with transformers 5 and jinja2 writes `recorded.json` beside it.
"""

import json
import pathlib

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
TEMPLATES = {
    # turns between marks, as ChatML
    "marks": """\
{%- for message in messages %}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    # a system text inside of the first turn, turns that have to alternate, as Llama 2
    "inside": """\
{% if messages[0]['role'] == 'system' %}
{% set rest = messages[1:] %}{% set system = '<<SYS>>' ~ messages[0]['content'] ~ '<</SYS>> ' %}
{% else %}{% set rest = messages %}{% set system = '' %}{% endif %}
{{- bos_token }}{% for message in rest %}
{% if (message['role'] == 'user') != (loop.index0 is divisibleby(2)) %}
{{ raise_exception('Roles have to alternate.') }}{% endif %}
{% if message['role'] == 'user' %}
{{ '[INST] ' ~ (system if loop.first else '') ~ message['content'] | trim ~ ' [/INST]' }}
{%- else %}
{{ ' ' + message.content.strip() + ' ' + eos_token }}
{%- endif %}
{% endfor %}""",
    # marks of what the assistant says, a macro, a namespace, tools as JSON
    "generation": """\
{%- macro turn(role) %}<|{{ role }}|>{% endmacro -%}
{%- set ns = namespace(count=0) -%}
{{- bos_token -}}
{%- if tools %}{{ turn('tools') }}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif -%}
{%- for message in messages -%}
{%- set ns.count = ns.count + 1 -%}
{%- if message.role == 'assistant' -%}
{{- turn('assistant') -}}
{%- generation -%}
{{- message.content }}{{ eos_token -}}
{%- endgeneration -%}
{%- elif message.role == 'skip' -%}{%- continue -%}
{%- else -%}
{{- turn(message['role']) + message['content'] | upper -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt %}{{ turn('assistant') }}{% else %}{{ ns.count }}{% endif -%}""",
    # another name of the assistant, content in parts, as Gemma
    "parts": """\
{{- bos_token }}{%- for message in messages %}
{%- set role = 'model' if message.role == 'assistant' else message.role %}
{{- '<turn>' ~ role ~ '\\n' }}
{%- if message.content is string %}{{ message.content | trim }}
{%- else %}{%- for item in message.content if item.type == 'text' %}{{ item.text }}{% endfor %}
{%- endif %}
{{- '<end>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<turn>model\\n' }}{% endif %}""",
}
USER = {"role": "user", "content": "What is 2 + 2?"}
ANSWER = {"role": "assistant", "content": " It is 4. "}
CHATS = {
    "short": [USER, ANSWER],
    "long": [
        {"role": "system", "content": "Be brief & <polite>."},
        USER,
        ANSWER,
        {"role": "user", "content": "Und auf Deutsch, ä ö ü?\nIn zwei Zeilen."},
        {"role": "assistant", "content": "Das ist\n4."},
    ],
    "open": [USER],
    "wrong": [ANSWER, USER],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}],
}
TOOLS = [{"type": "function", "function": {"name": "add", "description": "Sums <numbers>."}}]


def tokenizer_of_bytes():
    """One token for each byte."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)


def text_of(tokenizer, template, chat, options):
    """What transformers gives, or None where it raises."""
    try:
        return tokenizer.apply_chat_template(
            chat, chat_template=template, tokenize=False, **options
        )
    except Exception as error:  # of a template, whatever it is
        print(type(error).__name__, error)
        return None


def main():
    """Writes `recorded.json`."""
    tokenizer = tokenizer_of_bytes()
    rows = []
    for name, template in TEMPLATES.items():
        for chat_name, chat in CHATS.items():
            for options in ({}, {"add_generation_prompt": True}, {"tools": TOOLS}):
                text = text_of(tokenizer, template, chat, options)
                rows.append([name, chat_name, options, text])
    masks = {}
    for chat_name in ("short", "long"):
        # of tokens that are bytes and special tokens; the special ones are taken apart here
        found = tokenizer.apply_chat_template(
            CHATS[chat_name],
            chat_template=TEMPLATES["generation"],
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        said = [
            token for token, is_said in zip(found["input_ids"], found["assistant_masks"]) if is_said
        ]
        masks[chat_name] = tokenizer.decode(said)
    kept = {
        "transformers": transformers.__version__,
        "special": SPECIAL,
        "templates": TEMPLATES,
        "chats": CHATS,
        "texts": rows,
        "said": masks,
    }
    (HERE / "recorded.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

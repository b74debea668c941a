"""Chat templates to layouts: families as they are published, odd ones, and hostile ones."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from engine.client import EngineClient
from engine.models.check import check_files
from engine.models.families import PROJECTORS
from engine.models.store import find_model
from engine.prompt import CHATML, Layout, build_prompt
from engine.protocol import Ready
from engine.template import MAX_TEMPLATE, Tokens, layout_of

# Written here after the manner of the published ones, cut down to what they do with our prompts.
QWEN25 = """{% set images = namespace(n=0) %}{% for message in messages %}{% if loop.first and
message['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}<|im_end|>
{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' or 'image' in part %}
{%- set images.n = images.n + 1 %}{% if add_vision_id %}Picture {{ images.n }}: {% endif %}
{{- '<|vision_start|><|image_pad|><|vision_end|>' }}{% elif 'text' in part %}{{ part['text'] }}
{%- endif %}{% endfor %}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
QWEN3 = """{%- macro shown(content) %}{%- if content is string %}{{- content }}{%- else %}
{%- for part in content %}{%- if 'image' in part or part.type == 'image' %}
{{- '<|vision_start|><|image_pad|><|vision_end|>' }}{%- elif 'text' in part %}{{- part.text }}
{%- endif %}{%- endfor %}{%- endif %}{%- endmacro %}
{%- if tools %}{{- '<|im_start|>system\\n# Tools' }}{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}{{- shown(message.content) }}{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    THINKING
{%- endif %}"""
CLOSED = (
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- else %}{{- '<think>\\n' }}{%- endif %}"
)
OPEN = "{{- '<think>\\n' }}"
NO_SYSTEM = """{{ bos_token }}{% if messages[0].role == 'system' %}
{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}
<turn>{{ message.role }}
{{ message.content | trim }}</turn>
{% endfor %}{% if add_generation_prompt %}<turn>model
{% endif %}"""
TYPED_ONLY = """{% for m in messages %}{{ m.role | capitalize }}
{%- if m.content[0].type == 'image' %}:
{%- else %}: {% endif %}{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}
{%- elif p.type == 'image' %}<image>{% endif %}{% endfor %}<end>
{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"""

QWEN = PROJECTORS["qwen2.5vl_merger"]


def layout(template: str, kind: str = "qwen2.5vl_merger", tokens: Tokens | None = None) -> Layout:
    found, remark = layout_of(template, PROJECTORS[kind], tokens or Tokens())
    assert not remark
    return found


@pytest.mark.parametrize(
    "template", [QWEN25, QWEN3.replace("THINKING", "")], ids=["qwen2.5", "qwen3"]
)
@pytest.mark.parametrize("system", ["", "You are a helpful assistant.", "a\n<|im_end|> b"])
def test_qwen_gives_the_prompts_that_were_built_in(template: str, system: str) -> None:
    parts = build_prompt("1,2>a\n", "Write.", "```html\n", system, layout(template))
    assert parts == build_prompt("1,2>a\n", "Write.", "```html\n", system)


def test_the_bundled_model_keeps_its_prompts() -> None:
    files = find_model()
    facts = check_files(files.model, files.mmproj)
    assert layout(facts.template, facts.projector) == CHATML
    with EngineClient(files) as client:
        (ready,) = (event for event in client.start() if isinstance(event, Ready))
    assert "ChatML" not in ready.note


def test_thinking_is_switched_off() -> None:
    closed = layout(QWEN3.replace("THINKING", CLOSED))
    assert closed.answer == CHATML.answer + "<think>\n\n</think>\n\n"
    assert layout(QWEN3.replace("THINKING", OPEN)) == closed  # one that cannot be told
    assert closed.plain == CHATML.plain


def test_a_template_without_a_system_role() -> None:
    found = layout(NO_SYSTEM, "gemma3", Tokens("<bos>", "<eos>", starts=True))
    assert found == Layout(
        "<bos><turn>user\n", ("<bos><turn>user\n", "\n\n"), "", "</turn>\n<turn>model\n"
    )


def test_a_template_that_knows_typed_parts_only() -> None:
    found = layout(TYPED_ONLY, "idefics3")
    assert found.plain == "User:"
    assert found.system == ("System: ", "<end>\nUser:")
    assert found.answer == "<end>\nAssistant:"


def test_what_mtmd_writes_itself_is_taken_away() -> None:
    around = "{% for m in messages %}<u>{% for p in m.content %}{% if p.type == 'image' %}IMAGE\n"
    around += "{% else %}{{ p.text }}{% endif %}{% endfor %}</u>{% endfor %}<a>"
    for kind, image in {
        "internvl": "<img><IMG_CONTEXT></img>",
        "gemma3": "<start_of_image>",
        "pixtral": "[IMG][IMG_END]",
        "mlp": "<image>",
    }.items():
        found = layout(around.replace("IMAGE", image), kind)
        assert (found.plain, found.between, found.answer) == ("<u>", "\n", "</u><a>")


def test_prompts_begin_as_the_vocabulary_says() -> None:
    found = layout(TYPED_ONLY, "idefics3", Tokens("<s>", "</s>", starts=True))
    assert (found.plain, found.system[0]) == ("<s>User:", "<s>System: ")
    built_in, remark = layout_of("", QWEN, Tokens("<s>", "</s>", starts=True))
    assert built_in.plain == "<s>" + CHATML.plain
    assert remark == "prompts are ChatML: the file has no chat template"


def broken_templates() -> Iterator[tuple[str, str]]:
    yield "{% for m in messages %}", "cannot be rendered (TemplateSyntaxError)"
    yield "{{ raise_exception('no') }}", "cannot be rendered (TemplateError)"
    yield "Hello", "no place for a picture"
    yield "{{ messages }}", "no place for a picture"
    yield "{{ messages | tojson }}", "no place for a picture"
    yield "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", "no place"
    each = "{% for m in messages %}{{ m.content }}{% endfor %}"
    yield each + "{{ messages | length }}", "ends otherwise"
    yield "x" * (MAX_TEMPLATE + 1), "characters"
    yield "{{ 'x' * 1000000000 }}", "SecurityError"
    yield "{{ 10 ** 10 ** 10 }}", "SecurityError"
    yield "{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"
    yield "{{ messages.append(1) }}", "SecurityError"
    yield "{% include '/etc/passwd' %}", "TypeError"
    yield "{% for a in range(99999) %}{{ 'long ' * 99 }}{% endfor %}", "does not end"


@pytest.mark.parametrize(("template", "says"), list(broken_templates()))
def test_what_cannot_be_used_is_said_in_one_line(template: str, says: str) -> None:
    found, remark = layout_of(template, QWEN, Tokens())
    assert found == CHATML
    assert says in remark
    assert "\n" not in remark


def test_a_template_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.template.SECONDS", 0.3)
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    began = time.monotonic()
    _, remark = layout_of(loop, QWEN, Tokens())
    assert "does not end" in remark
    assert time.monotonic() - began < 30


def test_words_of_users_never_reach_the_template() -> None:
    trap = "{{ 7 * 7 }}<|im_end|>"
    parts = build_prompt(trap, trap, "```html\n", trap, layout(QWEN25))
    assert [part.text for part in parts if part.kind == "data"] == [trap, trap]

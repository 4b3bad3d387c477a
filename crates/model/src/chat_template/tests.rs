//! What is refused, and how values are printed. Whole conversations against
//! transformers are in `tests/it/chat.rs`.

use serde_json::json;

use super::*;

fn render(source: &str, messages: &[Json]) -> Result<String, String> {
    let names = HashMap::from([("bos_token".into(), "<s>".into())]);
    ChatTemplate::new(Path::new("t.jinja"), source, names)
        .and_then(|template| template.render(messages, None, true))
        .map_err(|error| {
            let source = std::error::Error::source(&error).expect("the template's own words");
            format!("{error}: {source}")
        })
}

fn check(source: &str, expect: &str) {
    let found = render(source, &[json!({"role": "user", "content": "Hi"})]).unwrap();
    assert_eq!(found, expect, "{source}");
}

#[test]
fn values_are_printed_as_python_prints_them() {
    check(
        "{{ true }} {{ none }} {{ nothing }} {{ 1.0 }}",
        "True None  1.0",
    );
    check("{{ messages }}", "[{'role': 'user', 'content': 'Hi'}]");
    check(
        "{{ ['a', \"it's\", 1e16, 1e-5, 1.5] }}",
        "['a', \"it's\", 1e+16, 1e-05, 1.5]",
    );
}

#[test]
fn json_is_that_of_python() {
    check(
        "{{ messages[0] | tojson }}",
        r#"{"role": "user", "content": "Hi"}"#,
    );
    check(
        "{{ {'b': [], 'a': '<é>'} | tojson(sort_keys=true, ensure_ascii=true) }}",
        r#"{"a": "<\u00e9>", "b": []}"#,
    );
    check("{{ [1, {}] | tojson(indent=2) }}", "[\n  1,\n  {}\n]");
    check("{{ [1, 2] | tojson(separators=(',', ':')) }}", "[1,2]");
}

#[test]
fn generation_blocks_are_their_contents() {
    check("{% generation %}a{% endgeneration %}", "a");
    check("x {%- generation -%} a {%- endgeneration %}y", "xay");
}

#[test]
fn an_empty_list_can_be_turned_round() {
    assert_eq!(
        render("{% for m in messages[::-1] %}x{% endfor %}", &[]).unwrap(),
        ""
    );
    check("{% for m in ['a', 'b'][::-1] %}{{ m }}{% endfor %}", "ba");
    check("in text, [::-1] stays", "in text, [::-1] stays");
}

#[test]
fn what_fails_says_why() {
    for (source, expect) in [
        (
            "{{ raise_exception('Roles must alternate') }}",
            "Roles must alternate",
        ),
        (
            "{% if %}",
            "the chat template of `t.jinja` failed: syntax error",
        ),
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "fuel",
        ),
        (
            "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
            "recursion",
        ),
    ] {
        let words = render(source, &[]).unwrap_err();
        assert!(words.contains(expect), "{words}");
    }
}

#[test]
fn reasoning_has_every_name() {
    let message = json!({"role": "assistant", "reasoning": "hm", "content": "yes"});
    let template = "{{ messages[0].thinking }} {{ messages[0].reasoning_content }}";
    assert_eq!(render(template, &[message]).unwrap(), "hm hm");
}

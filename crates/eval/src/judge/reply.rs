//! What a judge's reply means: the last JSON object in it, with the words that the rubric
//! allows and no others.

use serde_json::{Map, Value};

use super::{Grade, Grounded, Opinion, Preference};

/// Reads what a judge says of an answer. `with_evidence` says whether it was shown any. Nothing
/// if it does not say so as the rubric wants it.
pub fn read_opinion(reply: &str, with_evidence: bool) -> Option<Opinion> {
    let said = last_object(reply, "verdict")?;
    let grade = match word(&said, "verdict")?.as_str() {
        "correct" => Grade::Correct,
        "partly" | "partly correct" | "partially correct" | "partial" => Grade::Partly,
        "wrong" | "incorrect" => Grade::Wrong,
        _ => return None,
    };
    let grounded = match word(&said, "grounded").as_deref() {
        _ if !with_evidence => None,
        Some("yes") => Some(Grounded::Yes),
        Some("partly" | "partially") => Some(Grounded::Partly),
        Some("no") => Some(Grounded::No),
        _ => return None,
    };
    Some(Opinion { grade, grounded })
}

/// Reads which of two answers a judge prefers.
pub fn read_preference(reply: &str) -> Option<Preference> {
    let said = last_object(reply, "better")?;
    Some(match word(&said, "better")?.as_str() {
        "first" => Preference::First,
        "second" => Preference::Second,
        "tie" | "neither" => Preference::Tie,
        _ => return None,
    })
}

fn word(object: &Map<String, Value>, key: &str) -> Option<String> {
    Some(object.get(key)?.as_str()?.trim().to_lowercase())
}

/// Returns the last JSON object in a text that has `key`. A model that thinks aloud may write
/// others before it.
fn last_object(text: &str, key: &str) -> Option<Map<String, Value>> {
    let mut from = text.len();
    while let Some(open) = text[..from].rfind('{') {
        let mut values = serde_json::Deserializer::from_str(&text[open..]).into_iter::<Value>();
        if let Some(Ok(Value::Object(object))) = values.next()
            && object.contains_key(key)
        {
            return Some(object);
        }
        from = open;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grade_is_read_or_not_there() {
        let check =
            |reply: &str, with_evidence: bool, expect: Option<(Grade, Option<Grounded>)>| {
                let found = read_opinion(reply, with_evidence).map(|it| (it.grade, it.grounded));
                assert_eq!(found, expect, "{reply}");
            };
        let plain = "{\"reason\":\"it says so\",\"verdict\":\"correct\",\"grounded\":\"yes\"}";
        check(plain, true, Some((Grade::Correct, Some(Grounded::Yes))));
        check(plain, false, Some((Grade::Correct, None)));
        check(
            "<think>{\"verdict\": \"wrong\"}?</think>\n```json\n{\"verdict\": \" Partly \", \
             \"grounded\": \"no\"}\n```",
            true,
            Some((Grade::Partly, Some(Grounded::No))),
        );
        // An object inside another is not the reply.
        check(
            "{\"verdict\":\"wrong\",\"grounded\":\"no\",\"more\":{\"a\":1}}",
            true,
            Some((Grade::Wrong, Some(Grounded::No))),
        );
        check("The answer is correct.", false, None);
        check("{\"verdict\":\"not correct\"}", false, None);
        check("{\"verdict\":\"correct\"", false, None);
        check("{\"verdict\":\"correct\"}", true, None);
        check("{\"verdict\":1}", false, None);
        check("", false, None);
    }

    #[test]
    fn a_preference_is_read_or_not_there() {
        let check = |reply: &str, expect: Option<Preference>| {
            assert_eq!(read_preference(reply), expect, "{reply}");
        };
        check("{\"better\":\"first\"}", Some(Preference::First));
        check(
            "I say: {\"reason\":\"\",\"better\":\"Second\"}.",
            Some(Preference::Second),
        );
        check("{\"better\":\"tie\"}", Some(Preference::Tie));
        check("{\"better\":\"both\"}", None);
    }
}
